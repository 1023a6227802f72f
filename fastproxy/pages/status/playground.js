"use strict";
// The conversation: what was said, what is streaming, and where its time went.

const talk = { turns: [], stop: null };

function offerModels(byOwner) {
  const select = $("model"), chosen = select.value;
  replaceWhenChanged(select, [...byOwner], ([owner, owned]) =>
    el("optgroup", { label: owner }, ...owned.map(({ id }) => el("option", { value: id }, id))));
  const names = [...byOwner.values()].flat().map(({ id }) => id);
  select.value = names.includes(chosen) ? chosen : names.includes("demo-chat") ? "demo-chat" : names[0] || "";
}

function startTalking() {
  $("say").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  $("prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      send();
    }
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") talk.stop?.abort(); });
  $("stop").addEventListener("click", () => talk.stop?.abort());
  $("new-chat").addEventListener("click", newChat);
}

function newChat() {
  talk.stop?.abort();
  talk.turns = [];
  $("log").replaceChildren(el("p", { class: "empty" }, "Say something to see the answer stream, and where its time went."));
  $("prompt").focus();
}

async function send() {
  const prompt = $("prompt").value.trim();
  if (!prompt || talk.stop) return;
  const stop = talk.stop = new AbortController(), turns = talk.turns;
  turns.push({ role: "user", content: prompt });
  const answer = new Answer(prompt, $("model").value);
  $("prompt").value = "";
  showBusy(true);
  try {
    const known = await streamChat(requestBody(turns), stop.signal, (kind, piece) => answer.hear(kind, piece));
    turns.push({ role: "assistant", content: known.text });
    answer.end(known);
  } catch (error) {
    if (error.name === "AbortError" && error.partial.text) turns.push({ role: "assistant", content: error.partial.text });
    else turns.pop(); // what was not answered is not part of the conversation
    if (error.name === "AbortError") answer.stopped(error.partial);
    else {
      answer.failed(error);
      if (!$("prompt").value && talk.turns === turns) $("prompt").value = prompt; // to be sent again
    }
  } finally {
    talk.stop = null;
    showBusy(false);
  }
}

function requestBody(turns) {
  const system = $("system").value.trim(), temperature = $("temperature").value;
  return {
    model: $("model").value,
    messages: [...(system ? [{ role: "system", content: system }] : []), ...turns],
    ...(temperature === "" ? {} : { temperature: Number(temperature) }),
  };
}

function showBusy(isBusy) {
  const hadFocus = document.activeElement === $("stop") || document.activeElement === $("send");
  $("stop").hidden = !isBusy;
  $("send").hidden = isBusy;
  $("log").setAttribute("aria-busy", String(isBusy)); // read out when it is whole, not word by word
  if (hadFocus) (isBusy ? $("stop") : $("prompt")).focus();
}

/** One question and its answer, as they stand in the log. */
class Answer {
  constructor(prompt, model) {
    const log = $("log");
    log.querySelector(".empty")?.remove();
    this.text = document.createTextNode("");
    this.reasoning = document.createTextNode("");
    this.thoughts = el("details", { class: "thoughts", hidden: true },
      el("summary", {}, "Reasoning"), el("p", { class: "said" }, this.reasoning));
    this.said = el("p", { class: "said" }, this.text);
    this.foot = el("p", { class: "foot soft" }, "Waiting for the first token…");
    this.node = el("article", { class: "answer streaming", "aria-label": `Answer of ${model}` },
      el("h3", {}, model), this.thoughts, this.said, this.foot);
    log.append(el("article", { class: "question", "aria-label": "You" }, el("p", { class: "said" }, prompt)), this.node);
    log.scrollTop = log.scrollHeight;
  }

  hear(kind, piece) {
    const log = $("log"), isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    if (kind === "reasoning") {
      this.thoughts.hidden = false;
      this.reasoning.appendData(piece);
    } else {
      this.text.appendData(piece);
    }
    if (this.foot.textContent) this.foot.textContent = "";
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  }

  end(known) {
    if (!known.text) this.said.replaceChildren(el("em", { class: "soft" }, "An empty answer."));
    const cut = known.finish === "length" ? "The answer was cut: it reached its length limit." : "";
    this.close(...[cut, known.warning].filter(Boolean).map((text) => el("p", { class: "warn" }, text)), timings(known));
  }

  stopped(partial) {
    this.close(el("p", { class: "warn" }, "Stopped."), timings(partial));
  }

  failed(error) {
    const facts = [
      ["Status", error.status || ""], ["Code", error.code], ["Field", error.param],
      ["Try again in", error.retryAfter && `${error.retryAfter} s`], ["Request", error.requestId],
    ];
    this.close(el("div", { class: "fault" }, el("p", {}, ...prose(error.message)), factList(facts)));
  }

  close(...children) {
    const log = $("log"), isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    if (!this.text.data) this.said.hidden = !this.said.firstElementChild;
    this.node.classList.remove("streaming");
    this.foot.replaceWith(...children);
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  }
}

function timings({ first, usage, elapsed, overhead, served }) {
  const total = elapsed(), tokens = usage?.completion_tokens, streamed = (total - first) / 1000;
  return factList([
    ["First token", first == null ? "" : ms(first)],
    ["Total", ms(total)],
    ["Speed", tokens > 1 && streamed > 0.001 ? `${number(tokens / streamed)} tokens/s` : ""],
    ["Tokens", usage ? `${usage.prompt_tokens} in, ${tokens} out` : ""],
    ["Overhead", overhead == null ? "" : ms(overhead)],
    ["Served by", served.provider ? `${served.provider}, ${served.model}` : ""],
    ["Attempts", served.attempts > 1 ? served.attempts : ""],
  ]);
}

function factList(facts) {
  return el("dl", { class: "facts" }, ...facts.filter(([, value]) => value).map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, String(value)))));
}
