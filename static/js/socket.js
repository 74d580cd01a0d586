/**
 * The live connection: opens, comes back after losses with growing pauses, hands on every message.
 *
 * Events: "status" {status: "connecting" | "live" | "offline" | "idle" (logged out)}, "message" {type, ...}.
 */

import { waitBefore } from "./backoff.js";

/** The server's close code for somebody whom it does not know: coming back would not help. */
const NOBODY = 4401;

export class LiveSocket extends EventTarget {
  #url;
  #open;
  #online;
  #random;
  #socket = null;
  #timer = null;
  #attempt = 0;
  #wanted = false;
  status = "connecting";

  constructor({ url, open = (address) => new WebSocket(address), online = () => navigator.onLine, random = Math.random }) {
    super();
    this.#url = url;
    this.#open = open;
    this.#online = online;
    this.#random = random;
  }

  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#connect();
  }

  stop() {
    this.#wanted = false;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = null;
    this.status = "connecting";
  }

  /** Try at once, whatever pause was running: the network is back, or the page is seen again. */
  retry() {
    if (!this.#wanted || this.status === "live") return;
    this.#attempt = 0;
    this.#connect();
  }

  /** Send a message; false when there is no connection. */
  send(message) {
    if (this.status !== "live") return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#socket?.close();
    const socket = this.#open(this.#url);
    this.#socket = socket;
    // Events of a socket that has been replaced say nothing about the present one.
    const ifCurrent = (act) => (event) => this.#socket === socket && act(event);
    socket.addEventListener("open", ifCurrent(() => this.#opened()));
    socket.addEventListener("close", ifCurrent((event) => this.#lost(event.code)));
    socket.addEventListener("message", ifCurrent((event) => this.#received(event.data)));
  }

  #opened() {
    this.#attempt = 0;
    this.#become("live");
  }

  #lost(code) {
    this.#socket = null;
    if (code === NOBODY) {
      this.#wanted = false;
      this.#become("idle");
    }
    if (!this.#wanted) return;
    this.#become(this.#online() ? "connecting" : "offline");
    this.#timer = setTimeout(() => this.#connect(), waitBefore(this.#attempt++, { random: this.#random }));
  }

  #received(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  #become(status) {
    this.status = status;
    this.dispatchEvent(new CustomEvent("status", { detail: { status } }));
  }
}
