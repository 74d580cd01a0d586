/** Keeps a run's page informed: by the socket while it lives, by slow polling while it does not. */

import { LiveSocket } from "../socket.js";
import { getJson } from "./requests.js";

/** Milliseconds: between two looks at what no event tells (a round's steps, ratings), and between polls. */
const PULSE = 4000;
const POLL = 12_000;

export class RunSocket extends EventTarget {
  #socket;
  #dataUrl;
  #state;

  /** @param state  a RunState; @param dataUrl  where the whole state is, without a socket */
  constructor({ path, dataUrl, state }) {
    super();
    this.#dataUrl = dataUrl;
    this.#state = state;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.#socket = new LiveSocket({ url: `${scheme}://${location.host}${path}` });
    this.#socket.addEventListener("message", ({ detail }) => this.#received(detail));
    this.#socket.addEventListener("status", ({ detail }) => this.dispatchEvent(new CustomEvent("status", { detail })));
  }

  start() {
    this.#socket.start();
    setInterval(() => this.#state.running && this.#socket.send({ type: "pulse" }), PULSE);
    setInterval(() => this.#poll(), POLL);
    addEventListener("online", () => this.#socket.retry());
    document.addEventListener("visibilitychange", () => !document.hidden && this.#socket.retry());
    // A page with an open socket cannot be kept for the Back button; one without it comes back alive.
    addEventListener("pagehide", () => this.#socket.stop());
    addEventListener("pageshow", (event) => event.persisted && this.#socket.start());
  }

  #received(message) {
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
    this.#state.take(message);
    if (message.type !== "state" && this.#state.torn) this.#socket.send({ type: "state" });
  }

  async #poll() {
    if (["live", "idle"].includes(this.#socket.status) || document.hidden) return;
    try {
      this.#state.take({ type: "state", ...(await getJson(this.#dataUrl)) });
    } catch {
      // Not reachable by this way either: the next poll asks again.
    }
  }
}
