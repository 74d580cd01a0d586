/**
 * Keeps `rounds` informed: by the socket while it lives, by slow polling while it does not.
 *
 * Events: "message" {type, ...}, whatever the socket brings.
 */

import { LiveSocket } from "./socket.js";

/** Milliseconds between polls without a socket; with one, between checks while a round runs. */
const POLL = 15_000;
/** With a socket and nothing going on, every so many polls: the channel behind the socket may drop a message. */
const IDLE_EVERY = 4;
/** A loss shorter than this is not worth a word (milliseconds). */
const WORTH_SAYING = 5000;

const TEXT = { idle: "", connecting: "Connecting", live: "", offline: "Offline" };

export class Live extends EventTarget {
  #socket;
  #api;
  #rounds;
  #indicator;
  #say;
  #lostWord = null;
  #lost = false;
  #started = false;

  constructor({ url, api, rounds, indicator, say, restored }) {
    super();
    this.#api = api;
    this.#rounds = rounds;
    this.#indicator = indicator;
    this.#say = say;
    this.#socket = new LiveSocket({ url });
    this.#socket.addEventListener("message", ({ detail }) => {
      rounds.receive(detail);
      this.dispatchEvent(new CustomEvent("message", { detail }));
    });
    this.#socket.addEventListener("status", ({ detail }) => {
      this.#show(detail.status);
      // The server begins every connection with the state: what was missed is in it.
      if (detail.status === "live") restored();
    });
  }

  get connected() {
    return this.#socket.status === "live";
  }

  start() {
    if (this.#started) return;
    this.#started = true;
    this.#show("connecting");
    this.#socket.start();
    let count = 0;
    setInterval(() => {
      const quiet = this.#socket.status === "live" && !this.#rounds.active;
      if (!quiet || ++count % IDLE_EVERY === 0) this.refresh();
    }, POLL);
    addEventListener("online", () => {
      this.#socket.retry();
      this.#show(this.#socket.status);
      this.refresh();
    });
    addEventListener("offline", () => this.#show("offline"));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      this.#socket.retry();
      this.refresh();
    });
    // A page with an open socket cannot be kept for the Back button; one without it comes back alive.
    addEventListener("pagehide", () => this.#socket.stop());
    addEventListener("pageshow", (event) => event.persisted && this.#socket.start());
  }

  /** Ask for the present state, by whatever way is open. */
  async refresh() {
    if (!this.#started || this.#socket.status === "idle" || this.#socket.send({ type: "state" })) return;
    try {
      await this.#rounds.take(await this.#api.state());
    } catch {
      // Not reachable by this way either: the next poll asks again.
    }
  }

  #show(status) {
    this.#indicator.dataset.connection = status;
    this.#indicator.querySelector("[data-connection-text]").textContent = TEXT[status];
    clearTimeout(this.#lostWord);
    if (status === "live" && this.#lost) {
      this.#lost = false;
      this.#say("Connected again.");
    } else if (status !== "live" && status !== "idle" && !this.#lost) {
      this.#lostWord = setTimeout(() => {
        this.#lost = true;
        this.#say("The connection is lost. Your ratings are kept until it is back.");
      }, WORTH_SAYING);
    }
  }
}
