"use strict";
// The page's life: asks for a key where one is needed, and looks once a second while somebody looks at it.

const EVERY_MS = 1000, AT_MOST_MS = 5000, MODELS_EVERY = 10;

const life = { timer: 0, round: 0, failures: 0, looking: false };

async function look() {
  clearTimeout(life.timer);
  if (document.hidden || life.looking) return;
  life.looking = true;
  try {
    const told = await (await ask("status")).json();
    if (life.round++ % MODELS_EVERY === 0) {
      const models = await (await ask("v1/models")).json();
      offerModels(showModels(models.data));
    }
    life.failures = 0;
    showBoard(true);
    showStatus(told);
  } catch (error) {
    failed(error);
  } finally {
    life.looking = false;
  }
  if ($("gate").hidden) life.timer = setTimeout(look, Math.min(AT_MOST_MS, EVERY_MS * 2 ** life.failures));
}

function failed(error) {
  life.failures += 1;
  if (error.status === 401) {
    showGate(error.message);
    return;
  }
  showState("bad", error.status ? `Error ${error.status}` : "Not reachable");
  write("load", error instanceof Refusal ? error.message : String(error));
}

function showBoard(isShown) {
  $("board").hidden = !isShown;
  $("gate").hidden = isShown;
  $("forget").hidden = !(isShown && door.key);
}

/** Asks for a key; says what was wrong with the one that was sent. */
function showGate(message) {
  const hadKey = Boolean(door.key), needsKey = document.documentElement.dataset.hasKeys === "true";
  door.key = "";
  showBoard(false);
  showState("idle", needsKey ? "Locked" : "Refused");
  write("load", "");
  $("gate-form").hidden = $("gate-text").hidden = !needsKey;
  if (!needsKey) write("gate-title", "This page is for this machine only");
  $("gate-error").replaceChildren(...(hadKey || !needsKey ? prose(message) : []));
  if (needsKey) $("key").focus();
}

$("gate-form").addEventListener("submit", (event) => {
  event.preventDefault();
  door.key = $("key").value.trim();
  $("key").value = "";
  life.round = life.failures = 0;
  look();
});
$("forget").addEventListener("click", () => {
  door.key = "";
  newChat();
  look();
});
$("copy").addEventListener("click", copyBaseUrl);
document.addEventListener("visibilitychange", look);
showConnection();
startTalking();
look();
