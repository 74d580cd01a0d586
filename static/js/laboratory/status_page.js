/** Asks how the service stands every few seconds, and says so when nobody answers. A screen reader hears changes only. */

/** Milliseconds between two questions, and for an answer. */
const PAUSE = 5000;
const PATIENCE = 20_000;

const standing = document.querySelector("[data-standing]");
const away = document.querySelector("[data-away]");
const asked = document.querySelector("[data-asked]");
const announcer = document.querySelector("[data-announcer]");
const pause = document.querySelector("[data-pause]");

const verdict = () => standing.querySelector("[data-verdict]")?.textContent.trim().replaceAll(/\s+/g, " ") ?? "";

let said = verdict();
let timer;

function say(sentence) {
  if (sentence === said) return;
  said = sentence;
  announcer.textContent = sentence;
}

async function ask() {
  let response;
  try {
    response = await fetch(standing.dataset.address, { credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE) });
  } catch {
    throw new Error("The web process does not answer.");
  }
  const text = await response.text();
  if (response.ok && !response.redirected) return text;
  const page = new DOMParser().parseFromString(text, "text/html");
  const sentence = page.querySelector("[data-sentence]")?.textContent;
  throw new Error(sentence ?? "You are not logged in as staff any more, or the page failed. Load it again.");
}

function show(text) {
  const focused = standing.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  standing.innerHTML = text;
  if (focused) standing.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  asked.textContent = `As of ${standing.querySelector("[data-at]").dataset.at}`;
  away.hidden = true;
  say(verdict());
}

async function look() {
  clearTimeout(timer);
  try {
    const text = await ask();
    if (pause.getAttribute("aria-pressed") === "true") return;
    show(text);
  } catch (error) {
    away.textContent = `${error.message} What stands below is of before. It is asked again every few seconds.`;
    away.hidden = false;
    say(error.message);
  }
  plan();
}

function plan() {
  clearTimeout(timer);
  if (!document.hidden && pause.getAttribute("aria-pressed") === "false") timer = setTimeout(look, PAUSE);
}

pause.hidden = false;
pause.addEventListener("click", () => {
  const paused = pause.getAttribute("aria-pressed") === "false";
  pause.setAttribute("aria-pressed", String(paused));
  if (paused) clearTimeout(timer);
  else look();
});
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
plan();
