"use strict";
// The way to the proxy: the key, and every fault in one form.

const KEY = "fastproxy-key";

const door = {
  get key() { return sessionStorage.getItem(KEY) || ""; },
  set key(value) { value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY); },
};

/** A fault as the proxy told it, or as we found it: status 0 means that it was not reached. */
class Refusal extends Error {
  constructor(message, fields = {}) {
    super(message);
    Object.assign(this, { status: 0, type: "", code: "", param: "", requestId: "", retryAfter: "" }, fields);
  }
}

/** The response to a request with our key; raises Refusal where it is no good one. */
async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (door.key) headers.authorization = `Bearer ${door.key}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (/[^\x20-\x7e]/.test(door.key)) {
      throw new Refusal("This key holds characters that no key has.", { status: 401 });
    }
    throw new Refusal("The proxy does not answer. Is it still running?");
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response) {
  let told = {};
  try {
    told = (await response.json()).error || {};
  } catch { /* what is no JSON came from somebody before the proxy: its status says what there is to say */ }
  return new Refusal(told.message || `HTTP status ${response.status}, without a word.`, {
    ...fault(told),
    status: response.status,
    requestId: response.headers.get("x-request-id") || "",
    retryAfter: response.headers.get("retry-after") || "",
  });
}

/** What an error's envelope says beside its message. */
function fault(told) {
  return { type: told.type || "", code: told.code || "", param: told.param || "" };
}
