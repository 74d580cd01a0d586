/** The page of a duet: shows what both of its listeners do, moves the slider, asks for a playlist. */

import { localTimes } from "./pages.js";

/** Milliseconds between looks at the server: while a playlist is made, and else. */
const SOON = 1500;
const POLL = 4000;

/** What to say and allow, for the state of a duet as the server tells it. */
export function shown({ partner, making, message, ended, playlists }) {
  return {
    heading: partner ? `You and ${partner}` : "A duet",
    inviting: !partner && !ended,
    composing: Boolean(partner) && !ended,
    over: ended,
    made: playlists.length > 0,
    busy: making,
    failed: !making && message !== "",
    message: making ? "A playlist for the two of you is being made." : message,
  };
}

export class DuetPage {
  #api;
  #say;
  #warn;
  #asking;
  #wire;
  #root = null;
  #main = null;
  #state = null;
  #timer = null;
  /** Whether the slider is in hand, and which place of it is on its way to the server. */
  #held = false;
  #moving = null;
  #moves = 0;

  /**
   * @param asking  (boolean) => void: whether this listener waits for a playlist, so that it may begin to play
   * @param wire    (element) => void: makes the links in what was added here turn pages without a reload
   */
  constructor({ api, say, warn, asking, wire }) {
    this.#api = api;
    this.#say = say;
    this.#warn = warn;
    this.#asking = asking;
    this.#wire = wire;
    document.addEventListener("visibilitychange", () => !document.hidden && this.#look());
  }

  /** Another page is there; on any but a duet's nothing happens until the next. */
  enter(main) {
    clearTimeout(this.#timer);
    this.#main = main;
    this.#root = main.querySelector("[data-duet]");
    this.#state = null;
    this.#held = false;
    this.#moving = null;
    if (!this.#root) return;
    this.#show(JSON.parse(main.querySelector("#duet-json").textContent));
    const slider = this.#find("[data-duet-fairness]");
    slider.addEventListener("input", () => {
      this.#held = true;
      this.#value(slider);
    });
    slider.addEventListener("change", () => this.#move(slider.valueAsNumber / 100));
    this.#value(slider);
    this.#later();
  }

  async compose() {
    if (!this.#root || this.#state.making) return;
    this.#asking(true);
    if (!(await this.#call(() => this.#api.post(this.#root.dataset.composeUrl, {})))) this.#asking(false);
  }

  async copy() {
    const link = this.#find("[data-duet-link]");
    try {
      await navigator.clipboard.writeText(link.value);
      this.#say("The link is copied.");
    } catch {
      // No clipboard on an insecure origin: selected, it can be copied by hand.
      link.focus();
      link.select();
    }
  }

  async #move(fairness) {
    const root = this.#root;
    this.#held = false;
    this.#moving = fairness;
    this.#moves += 1;
    await this.#call(() => this.#api.post(root.dataset.fairnessUrl, { fairness }), () => this.#moving === fairness);
    if (this.#moving === fairness) this.#moving = null;
  }

  /** Whether it went well. An answer that came too late for its page is dropped. */
  async #call(ask, wanted = () => true) {
    const root = this.#root;
    try {
      const state = await ask();
      if (this.#root === root && wanted()) this.#show(state);
      return true;
    } catch (error) {
      if (this.#root === root) this.#warn(error.message);
      return false;
    } finally {
      if (this.#root === root) this.#later();
    }
  }

  #later() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), this.#state?.making ? SOON : POLL);
  }

  async #look() {
    const [root, moves] = [this.#root, this.#moves];
    if (!root || document.hidden || this.#state?.ended) return;
    try {
      const state = await this.#api.get(root.dataset.url);
      // What was asked before the slider was moved is old by now.
      if (this.#root === root && this.#moves === moves) this.#show(state);
    } catch {
      // The connection's own indicator says so; the next look may succeed.
    }
    if (this.#root === root) this.#later();
  }

  #show(state) {
    const before = this.#state;
    const now = shown(state);
    this.#state = state;
    this.#find("[data-duet-heading]").textContent = now.heading;
    this.#find("[data-duet-invitation]").hidden = !now.inviting;
    this.#find("[data-duet-table]").hidden = !now.composing;
    this.#find("[data-duet-over]").hidden = !now.over;
    this.#find("[data-duet-made]").hidden = !now.made;
    this.#find("[data-duet-end]").hidden = now.over;
    this.#find("[data-action=compose-duet]").setAttribute("aria-disabled", now.busy);
    const message = this.#find("[data-duet-message]");
    message.textContent = now.message;
    message.toggleAttribute("data-failed", now.failed);
    const slider = this.#find("[data-duet-fairness]");
    if (this.#moving === null && !this.#held) slider.value = Math.round(state.fairness * 100);
    this.#value(slider);
    this.#list(state.playlists);
    if (before) this.#tell(before, state, now);
  }

  #tell(before, state, now) {
    if (!before.partner && state.partner) this.#say(`${state.partner} has joined.`);
    if (now.over && !before.ended) this.#say("This duet has ended.");
    if (before.making !== state.making || before.message !== state.message) this.#say(now.message);
    if (now.failed) this.#asking(false);
  }

  #list(playlists) {
    const list = this.#find("[data-duet-playlists]");
    const known = new Set(Array.from(list.querySelectorAll("a"), (link) => link.getAttribute("href")));
    for (const playlist of [...playlists].reverse()) {
      if (known.has(playlist.url)) continue;
      const row = this.#find("[data-duet-row]").content.firstElementChild.cloneNode(true);
      row.querySelector("a").href = playlist.url;
      row.querySelector("a").textContent = `Playlist ${playlist.number}`;
      row.querySelector("time").dateTime = playlist.made_at;
      list.prepend(row);
      this.#wire(row);
      localTimes(row);
    }
  }

  #value(slider) {
    slider.setAttribute("aria-valuetext", fairness(slider.valueAsNumber / 100));
  }

  #find(selector) {
    return this.#main.querySelector(selector);
  }
}

/** The slider's place in words. */
export function fairness(value) {
  if (value <= 0) return "most liked in sum";
  if (value >= 1) return "neither of you dislikes it";
  const share = Math.round(value * 100);
  return `${share} percent of the way from most liked in sum to neither dislikes it`;
}
