/**
 * The waveform of a track on a stave of five lines, which is also the slider to seek with.
 *
 * Drawn on our own canvas from the peaks that the server measured: see docs/decisions/0007-front-end.md.
 */

import { spokenTime } from "./format.js";

const BAR = 3;
const GAP = 2;
const STEP = 5;

/** `count` bars from any number of peaks in [0, 1]: each bar is the highest peak of its share. */
export function bars(peaks, count) {
  if (!peaks.length) return new Array(count).fill(0);
  return Array.from({ length: count }, (_, index) => {
    const from = Math.floor((index * peaks.length) / count);
    const to = Math.max(from + 1, Math.ceil(((index + 1) * peaks.length) / count));
    return Math.max(...peaks.slice(from, to));
  });
}

/** The time that a key on the slider leads to, in seconds, or null for other keys. */
export function keyTime(key, { time, duration }) {
  if (key === "ArrowLeft" || key === "ArrowDown") return time - STEP;
  if (key === "ArrowRight" || key === "ArrowUp") return time + STEP;
  if (key === "PageDown") return time - duration / 10;
  if (key === "PageUp") return time + duration / 10;
  if (key === "Home") return 0;
  return key === "End" ? duration : null;
}

export class Waveform {
  #slider;
  #canvas;
  #seek;
  #peaks = [];
  #time = 0;
  #duration = 0;
  #dragged = null;
  #colours = {};
  #drawn = "";

  /** @param seek  called with seconds when the listener has chosen a time */
  constructor({ slider, seek }) {
    this.#slider = slider;
    this.#canvas = slider.querySelector("canvas");
    this.#seek = seek;
    this.#listen();
    new ResizeObserver(() => this.repaint()).observe(slider);
  }

  show(peaks) {
    this.#peaks = peaks ?? [];
    this.#dragged = null;
    this.repaint();
  }

  /** Where the music is, in seconds. */
  move({ time, duration }) {
    this.#time = time;
    this.#duration = duration;
    // A focused slider whose value changes is read aloud every second; the listener asks by focusing it again.
    if (document.activeElement !== this.#slider) this.#speak(time);
    this.#draw();
  }

  /** Draw again from nothing: the size or the theme has changed. */
  repaint() {
    const style = getComputedStyle(this.#slider);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.#colours = { stave: colour("--stave"), rest: colour("--wave"), played: colour("--accent") };
    this.#drawn = "";
    this.#draw();
  }

  #listen() {
    const slider = this.#slider;
    slider.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.#duration) return;
      slider.setPointerCapture(event.pointerId);
      this.#drag(event);
    });
    slider.addEventListener("pointermove", (event) => this.#dragged !== null && this.#drag(event));
    slider.addEventListener("pointerup", () => this.#commit());
    slider.addEventListener("pointercancel", () => { this.#dragged = null; });
    slider.addEventListener("focus", () => this.#speak(this.#time));
    slider.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      const time = keyTime(event.key, { time: this.#time, duration: this.#duration });
      if (time === null) return;
      event.preventDefault();
      this.#choose(time);
    });
  }

  #drag(event) {
    const box = this.#slider.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    this.#dragged = share * this.#duration;
    this.#draw();
  }

  #commit() {
    if (this.#dragged === null) return;
    const time = this.#dragged;
    this.#dragged = null;
    this.#choose(time);
  }

  #choose(time) {
    const possible = Math.min(Math.max(0, time), this.#duration);
    this.#time = possible;
    this.#speak(possible);
    this.#seek(possible);
  }

  #speak(time) {
    this.#slider.setAttribute("aria-valuemax", Math.round(this.#duration));
    this.#slider.setAttribute("aria-valuenow", Math.round(time));
    this.#slider.setAttribute("aria-valuetext", `${spokenTime(time)} of ${spokenTime(this.#duration)}`);
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#slider;
    if (!width || !height) return;
    const share = this.#duration ? (this.#dragged ?? this.#time) / this.#duration : 0;
    const played = Math.round(share * width);
    const picture = `${width}x${height}@${played}`;
    if (picture === this.#drawn) return;
    this.#drawn = picture;
    this.#paint(width, height, played);
  }

  #paint(width, height, played) {
    const scale = globalThis.devicePixelRatio || 1;
    const canvas = this.#canvas;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = this.#colours.stave;
    for (let line = 0; line < 5; line++) pen.fillRect(0, Math.round((height * (line + 1)) / 6), width, 1);
    const heights = bars(this.#peaks, Math.floor((width + GAP) / (BAR + GAP)));
    heights.forEach((peak, index) => {
      const left = index * (BAR + GAP);
      const tall = Math.max(2, peak * (height - 6));
      pen.fillStyle = left + BAR / 2 <= played ? this.#colours.played : this.#colours.rest;
      pen.fillRect(left, (height - tall) / 2, BAR, tall);
    });
    pen.fillStyle = this.#colours.played;
    if (played > 0) pen.fillRect(Math.min(played, width - 2), 0, 2, height);
  }
}
