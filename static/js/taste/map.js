/** The map: a dot per song on the landscape of what is believed. Points, arrow keys and fingers find the nearest dot. */

import { keepingFocus, opinion, svg } from "./elements.js";
import { paint } from "./landscape.js";
import { bounds, nearest, neighbour, onScreen, spread } from "./places.js";

const APART = 15; // pixels between the middles of two dots, where there is room
const FILLED = 0.35; // of the map, at most, before dots become smaller
const SMALLEST = 0.55; // of a dot's size
const REACH = 26; // pixels from which a pointer means a dot
const INSET = 14; // pixels of the border that stay free
/** Width to height of the map, in a wide and in a narrow column (pixels). */
const SHAPES = [{ from: 560, ratio: 1.7 }, { from: 0, ratio: 1 }];

export class MapView {
  #root;
  #svg;
  #label;
  #point;
  #tracks = [];
  #songs = [];
  #places = [];
  #dots = [];
  #size = { width: 0, height: 0 };
  #known = null;
  #new = new Set();
  #at = 0;
  #playing = null;

  /**
   * @param point  (track or null, {by: "pointer" | "key" | "focus"}) something is pointed at, or nothing any more
   * @param choose  (track) it shall be played
   */
  constructor({ root, point, choose }) {
    this.#root = root;
    this.#svg = root.querySelector("svg");
    this.#label = root.querySelector("[data-map-label]");
    this.#point = point;
    this.choose = choose;
    this.#listen();
  }

  /** @param tracks  those with a place; @param landscape  [[x, y, likeness]] */
  show({ tracks, landscape }) {
    const focused = this.#tracks[this.#at]?.id;
    const arriving = new Set(this.#known ? tracks.map(({ id }) => id).filter((id) => !this.#known.has(id)) : []);
    for (const id of arriving) this.#new.add(id);
    this.#known = new Set(tracks.map(({ id }) => id));
    this.#tracks = tracks;
    this.#songs = landscape;
    this.#at = Math.max(0, tracks.findIndex((track) => track.id === focused));
    this.#root.classList.toggle("map-bare", !landscape.length);
    this.#draw(arriving);
  }

  /** Another size or other colours. */
  repaint() {
    if (this.#measure()) this.#draw(new Set());
  }

  playing(id) {
    this.#playing = id;
    for (const dot of this.#dots) dot.classList.toggle("dot-playing", dot.dataset.song === id);
  }

  #measure() {
    const width = this.#root.clientWidth;
    const { ratio } = SHAPES.find((shape) => width >= shape.from);
    this.#size = { width, height: Math.round(width / ratio) };
    return width > 0;
  }

  #draw(arriving) {
    if (!this.#measure()) return;
    const { width, height } = this.#size;
    const box = bounds([...this.#songs, ...this.#tracks.map(({ x, y }) => [x, y])]);
    const room = Math.sqrt((FILLED * width * height) / Math.max(1, this.#tracks.length));
    const size = Math.min(1, Math.max(SMALLEST, room / APART));
    this.#svg.style.setProperty("--size", size);
    const place = (point) => onScreen(point, box, this.#size);
    paint(this.#root.querySelector("canvas"), this.#songs.map((song) => ({ ...place(song), likeness: song[2] })), this.#size);
    this.#places = spread(this.#tracks.map(({ x, y }) => place([x, y])), { apart: APART * size, width, height, inset: INSET });
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.setAttribute("height", height);
    this.#dots = this.#tracks.map((track, index) => dot(track, this.#places[index], { isNew: this.#new.has(track.id), arrives: arriving.has(track.id) }));
    keepingFocus(this.#svg, () => this.#svg.replaceChildren(...this.#dots));
    this.#reachable(this.#at);
    this.playing(this.#playing);
    this.#hideLabel();
  }

  #listen() {
    this.#svg.addEventListener("pointermove", (event) => event.pointerType !== "touch" && this.#under(event));
    this.#svg.addEventListener("pointerleave", () => this.#leave());
    this.#svg.addEventListener("click", (event) => {
      const index = this.#dotAt(event);
      if (index < 0) return;
      this.#reachable(index);
      this.#dots[index].focus({ preventScroll: true });
      this.choose(this.#tracks[index]);
    });
    this.#svg.addEventListener("focusin", (event) => {
      const index = this.#dots.indexOf(event.target);
      if (index >= 0) this.#pointAt(index, "focus");
    });
    this.#svg.addEventListener("focusout", () => this.#leave());
    this.#svg.addEventListener("keydown", (event) => this.#press(event));
    let width = this.#root.clientWidth;
    new ResizeObserver(() => {
      if (this.#root.clientWidth === width) return;
      width = this.#root.clientWidth;
      this.repaint();
    }).observe(this.#root);
  }

  #press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || !this.#dots.length) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      event.stopPropagation();
      this.choose(this.#tracks[this.#at]);
      return;
    }
    if (event.key === "Escape") this.#leave();
    const index = neighbour(this.#places, this.#at, event.key);
    if (index < 0) return;
    // Arrows are the player's keys elsewhere; here they walk.
    event.preventDefault();
    event.stopPropagation();
    this.#reachable(index);
    this.#dots[index].focus({ preventScroll: true });
    this.#pointAt(index, "key");
  }

  #under(event) {
    const index = this.#dotAt(event);
    if (index < 0) this.#leave();
    else if (this.#label.dataset.song !== this.#tracks[index].id) this.#pointAt(index, "pointer");
  }

  #dotAt(event) {
    const box = this.#svg.getBoundingClientRect();
    return nearest(this.#places, { x: event.clientX - box.left, y: event.clientY - box.top }, REACH);
  }

  #pointAt(index, by) {
    const track = this.#tracks[index];
    this.#dots.forEach((one, other) => one.classList.toggle("dot-pointed", other === index));
    this.#svg.classList.add("map-pointing");
    this.#label.dataset.song = track.id;
    this.#label.textContent = `${track.title}, ${said(track)}`;
    this.#label.hidden = false;
    const { x, y } = this.#places[index];
    const half = this.#label.offsetWidth / 2;
    this.#label.style.left = `${Math.min(this.#size.width - half - 4, Math.max(half + 4, x))}px`;
    this.#label.style.top = `${y}px`;
    this.#label.classList.toggle("map-label-below", y < 60);
    this.#point(track, { by });
  }

  #leave() {
    this.#hideLabel();
    this.#point(null, { by: "pointer" });
  }

  #hideLabel() {
    this.#label.hidden = true;
    this.#label.dataset.song = "";
    this.#svg.classList.remove("map-pointing");
    for (const one of this.#dots) one.classList.remove("dot-pointed");
  }

  /** One dot is in the order of the tabulator key; the arrows lead to the others. */
  #reachable(index) {
    this.#dots.forEach((one, other) => one.setAttribute("tabindex", other === index ? 0 : -1));
    this.#at = index;
  }
}

/** What a dot says of its song. */
export function said(track) {
  return track.forgotten ? `${opinion(track.rating)}, forgotten` : opinion(track.rating);
}

/** Which mark a song has. */
export function kindOf({ rating }) {
  if (rating === 1) return "liked";
  return rating === -1 ? "disliked" : "unrated";
}

function dot(track, { x, y }, { isNew, arrives }) {
  const kind = kindOf(track);
  const classes = ["dot", `dot-${kind}`, track.forgotten && "dot-forgotten", isNew && "dot-new", arrives && "dot-arriving"].filter(Boolean).join(" ");
  return svg(
    "g",
    {
      class: classes,
      transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
      role: "button",
      tabindex: -1,
      "aria-label": `Play ${track.title}, ${said(track)}`,
      "data-song": track.id,
      "data-key": `dot ${track.id}`,
    },
    svg("circle", { class: "dot-ring", r: 11 }),
    svg("g", { class: "dot-mark" }, mark(kind)),
  );
}

/** The mark of an opinion: told apart by its shape before its colour. */
export function mark(kind) {
  if (kind === "liked") return svg("circle", { r: 5.5 });
  if (kind === "disliked") return svg("path", { d: "M-4.2-4.2 4.2 4.2M4.2-4.2-4.2 4.2" });
  return svg("circle", { r: 3.6 });
}
