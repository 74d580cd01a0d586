/** The candidate that is looked at: its words, where it comes from, its scores, and its sound. */

import { score } from "./words.js";

export class Card {
  #root;
  #field;
  #shown = null;
  #told = new Map();

  /** @param choose  called with a key {generation, position} when a parent is wanted; @param hear with the candidate */
  constructor({ root, choose, hear }) {
    this.#root = root;
    this.#field = (name) => root.querySelector(`[data-card-${name}]`);
    this.choose = choose;
    root.querySelector("[data-hear]").addEventListener("click", () => this.#shown && hear(this.#shown));
  }

  get shown() { return this.#shown; }

  /** @param before  the generation before, which parents are of; null before the first */
  show(candidate, { generation, before }) {
    this.#shown = candidate;
    this.#root.hidden = false;
    this.#field("heading").textContent = `Candidate ${candidate.position} of generation ${generation.index}`;
    this.#field("prompt").textContent = candidate.prompt || "No words for it.";
    for (const name of ["fitness", "likeness", "artefacts"]) this.#field(name).textContent = score(candidate[name]);
    this.#field("seed").textContent = candidate.seed;
    this.#field("operators").textContent = candidate.elite ? "kept from the generation before" : candidate.operators.join(", ") || "none: made from nothing";
    this.#field("tree").href = candidate.url;
    this.#field("parents").replaceChildren(...this.#parents(candidate, before));
    const audio = this.#root.querySelector("[data-hear-audio]");
    audio.pause();
    audio.hidden = true;
    this.hearing(this.#told.get(candidate.id) ?? { candidate: candidate.id, status: "", message: "" }, { play: false });
  }

  /** What became of having a candidate played (see Hearing). */
  hearing(told, { play = true } = {}) {
    this.#told.set(told.candidate, told);
    if (told.candidate !== this.#shown?.id) return;
    const audio = this.#root.querySelector("[data-hear-audio]");
    const words = this.#root.querySelector("[data-hear-words]");
    words.textContent = told.message;
    words.dataset.status = told.status;
    this.#root.querySelector("[data-hear]").setAttribute("aria-busy", String(told.status === "asked"));
    if (told.status !== "ready") return;
    audio.hidden = false;
    if (audio.getAttribute("src") !== told.audio_url) audio.src = told.audio_url;
    if (play) audio.play().catch(() => { words.textContent = "Press play to hear it."; });
  }

  #parents({ parents }, before) {
    if (!parents.length) return ["none"];
    if (!before) return [parents.join(", ")];
    return parents.map((position) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "live-show";
      const fitness = before.points?.fitness[position];
      button.textContent = fitness === undefined ? String(position) : `${position} (${score(fitness)})`;
      button.setAttribute("aria-label", `Show parent ${position} of generation ${before.index}`);
      button.addEventListener("click", () => this.choose({ generation: before.id, index: before.index, position }));
      return button;
    });
  }
}
