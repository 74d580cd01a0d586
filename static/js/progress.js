/** The page's section about the next playlist: what is needed for it, how it is getting on, what went wrong. */

import { drawStave } from "./stave.js";
import { plural, timeLeft } from "./format.js";

const HEADINGS = {
  queued: "Your next playlist is in line",
  learning: "Learning your taste",
  evolving: "Evolving",
  composing: "Composing the playlist",
  waiting: "Waiting for the players",
  failed: "That did not work",
  cancelled: "Cancelled",
};

/** What the section says: {heading, message, figures, button, busy}, from a state and the time since it came. */
export function wording({ round, rated, needed }, { elapsed = 0 } = {}) {
  if (round === null || round.status === "done") return idle({ rated, needed });
  if (round.status === "cancelled") return { ...idle({ rated, needed }), message: round.message };
  const failed = round.status === "failed";
  return {
    heading: HEADINGS[round.status] ?? "The next playlist",
    message: round.message || (failed ? "The next playlist could not be made." : ""),
    figures: failed ? "" : figures(round, elapsed),
    button: failed ? "Try again" : "Evolve",
    busy: !failed,
  };
}

function idle({ rated, needed }) {
  const missing = Math.max(0, needed - rated);
  let message = "Every rating brings it closer to your taste.";
  if (missing) message = `${plural(missing, "more rating")} and it is made. Or evolve now.`;
  else if (needed) message = "Enough is rated: it can be made now.";
  return { heading: "The next playlist", message, figures: "", button: "Evolve", busy: false };
}

function figures({ generation, generations, best, seconds_left: left, queue }, elapsed) {
  const parts = [];
  if (generation > 0) parts.push(`Generation ${generation} of ${generations}`);
  if (best?.length) parts.push(`best fitness ${best.at(-1).toFixed(2)}`);
  parts.push(...standing(queue));
  const wait = left == null ? nextStep(queue, elapsed) : timeLeft(Math.max(0, left - elapsed));
  if (wait) parts.push(wait);
  return parts.join(" · ");
}

/** How many others are served first; nothing when nobody is, or when it is not known. */
function standing(queue) {
  return queue?.before > 0 ? [`${plural(queue.before, "listener")} before you`] : [];
}

/** Until what was asked for last is played, not until the playlist is there: nobody knows that yet. */
function nextStep(queue, elapsed) {
  if (queue?.seconds == null) return "";
  const wait = timeLeft(Math.max(0, queue.seconds - elapsed)).replace(/ left$/, "");
  return `next step in ${wait}`;
}

export class ProgressView {
  #section = null;
  #state = null;
  #since = 0;
  #spoken = null;
  #say;

  /** @param say  called with a sentence when the status changes, for the live region */
  constructor({ say }) {
    this.#say = say;
    setInterval(() => this.#section?.isConnected && this.#write(), 1000);
  }

  /** The section of the page now shown, or null when the page has none. */
  mount(section) {
    this.#section = section;
    if (this.#state) this.show(this.#state);
  }

  show(state) {
    if (this.#state?.round !== state.round) this.#since = performance.now();
    this.#state = state;
    this.#speak(state);
    if (!this.#section) return;
    this.#write();
    this.#picture(state);
  }

  #speak({ round }) {
    const status = round?.status ?? null;
    if (status === this.#spoken) return;
    this.#spoken = status;
    if (status && status !== "done") this.#say(`${HEADINGS[status] ?? ""}. ${round.message ?? ""}`);
  }

  #write() {
    if (!this.#state) return;
    const find = (name) => this.#section.querySelector(name);
    const words = wording(this.#state, { elapsed: (performance.now() - this.#since) / 1000 });
    this.#section.dataset.status = this.#state.round?.status ?? "idle";
    put(find("[data-round-heading]"), words.heading);
    put(find("[data-round-message]"), words.message);
    put(find("[data-round-figures]"), words.figures);
    const button = find("[data-action=evolve]");
    put(button, words.button);
    // Not `disabled`: that would throw the focus of a keyboard listener away.
    button.setAttribute("aria-disabled", words.busy);
    const cancel = find("[data-action=cancel]");
    if (!words.busy && cancel === document.activeElement) button.focus();
    cancel.hidden = !words.busy;
  }

  #picture({ round, rated, needed }) {
    const find = (name) => this.#section.querySelector(name);
    const shown = round !== null && round.status !== "done" && round.status !== "cancelled";
    find("[data-round-stave]").toggleAttribute("hidden", !shown);
    find("[data-rated]").hidden = shown;
    if (shown) drawStave(find("[data-round-stave]"), { best: round.best ?? [], generations: round.generations ?? 0, working: round.status !== "failed" });
    put(find("[data-rated-text]"), needed ? `${rated} of ${plural(needed, "rating")}` : plural(rated, "rating"));
    find("[data-rated-meter]").max = Math.max(1, needed);
    find("[data-rated-meter]").value = Math.min(rated, Math.max(1, needed));
  }
}

// Writing the same text again would make some screen readers repeat it.
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
