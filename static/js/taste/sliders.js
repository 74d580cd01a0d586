/** A slider per concept: what is believed of it as a mark, and how much of it the listener wants as the thumb. */

import { html } from "./elements.js";
import { press } from "./beliefs.js";
import { standing, wished } from "./words.js";

const STEP = 0.05;
/** Sliders of a slot that are seen before somebody asks for all: those of which most is known. */
const FIRST = 6;

export class Sliders {
  #root;
  #time;
  #rows = new Map();
  #shape = "";
  #sought = "";

  /** @param want  (concept, wanted) the thumb was let go there; @param time  as in `beliefs` */
  constructor({ root, want, time }) {
    this.#root = root;
    this.#time = time;
    root.addEventListener("input", ({ target }) => target.dataset.slider && this.#speak(target, wished(target.valueAsNumber)));
    root.addEventListener("change", ({ target }) => target.dataset.slider && want(target.dataset.slider, target.valueAsNumber));
  }

  show(slots) {
    const shape = JSON.stringify(slots.map(({ slot, concepts }) => [slot, concepts.map(({ name }) => name).sort()]));
    if (shape !== this.#shape) {
      const open = [...this.#root.children].filter((group) => group.open).map((group) => group.dataset.slot);
      this.#build(slots, open.length ? open : slots.slice(0, 1).map(({ slot }) => slot));
      this.find(this.#sought);
    }
    this.#shape = shape;
    for (const { slot, concepts } of slots) {
      for (const concept of concepts) this.#fill(this.#rows.get(concept.name), concept);
      const own = concepts.filter((concept) => concept.edit).length;
      this.#root.querySelector(`[data-slot-count="${CSS.escape(slot)}"]`).textContent = own ? `${own} set by you` : "";
    }
  }

  /** Show only the concepts whose name has these letters; "" shows all, folded as they were. */
  find(text) {
    this.#sought = text;
    const wanted = text.trim().toLowerCase();
    let found = 0;
    for (const group of this.#root.children) {
      let any = false;
      for (const row of group.querySelectorAll(".lean")) {
        row.hidden = wanted !== "" && !row.dataset.concept.toLowerCase().includes(wanted);
        any ||= !row.hidden;
        found += row.hidden ? 0 : 1;
      }
      group.hidden = !any;
      if (wanted) group.open = any;
      group.classList.toggle("slot-searched", wanted !== "");
    }
    return found;
  }

  #build(slots, open) {
    this.#rows.clear();
    const groups = slots.map(({ slot, heading, concepts }) => {
      const sorted = [...concepts].sort((one, other) => strength(other) - strength(one));
      const all = html("button", { type: "button", class: "quiet-button slot-all" }, `Show all ${concepts.length}`);
      const group = html(
        "details",
        { class: concepts.length > FIRST ? "slot slot-short" : "slot", "data-slot": slot, open: open.includes(slot) },
        html("summary", {}, html("span", { class: "slot-name" }, heading), html("span", { class: "slot-count", "data-slot-count": slot })),
        html("ul", { class: "leans" }, ...sorted.map((concept) => this.#row(concept))),
        all,
      );
      all.addEventListener("click", () => {
        group.classList.remove("slot-short");
        this.#rows.get(sorted[FIRST].name).input.focus();
      });
      return group;
    });
    this.#root.replaceChildren(...groups);
  }

  #row({ name }) {
    const id = `lean-${this.#rows.size}`;
    const input = html("input", { type: "range", id, min: -1, max: 1, step: STEP, "data-slider": name, "data-key": `slider ${name}` });
    const row = {
      input,
      element: html("li", { class: "lean", "data-concept": name }),
      track: html("div", { class: "lean-track" }, html("span", { class: "lean-band", "aria-hidden": "true" }), html("span", { class: "lean-mark", "aria-hidden": "true" }), input),
      says: html("span", {}),
      back: press("withdraw", name, "Leave it to my ratings"),
    };
    row.element.append(html("label", { for: id }, name), row.track, html("p", { class: "lean-says" }, row.says, " ", row.back));
    this.#rows.set(name, row);
    return row.element;
  }

  #fill(row, concept) {
    const { lean, spread, says, edit } = concept;
    row.element.classList.toggle("lean-own", Boolean(edit));
    row.track.style.setProperty("--from", clamp(lean - spread));
    row.track.style.setProperty("--to", clamp(lean + spread));
    row.track.style.setProperty("--lean", clamp(lean));
    // A thumb that is being moved is not moved away from under the finger.
    if (document.activeElement !== row.input || !edit) row.input.value = place(concept);
    const own = edit ? standing(edit, { time: this.#time }) : null;
    row.says.textContent = own ?? says;
    this.#speak(row.input, own ?? `left to your ratings: ${says}`);
    if (!edit && document.activeElement === row.back) row.input.focus({ preventScroll: true });
    row.back.hidden = !edit;
  }

  #speak(input, text) {
    input.setAttribute("aria-valuetext", text);
  }
}

/** Where the thumb stands: at the wish, else at the belief. */
function place({ lean, edit }) {
  if (!edit) return Math.round(lean / STEP) * STEP;
  if (edit.kind === "lean") return edit.wanted;
  return edit.kind === "not now" ? -1 : 0;
}

function strength({ lean, sure }) {
  return Math.abs(lean) * (2 * sure - 1);
}

function clamp(value) {
  return Math.min(1, Math.max(-1, value));
}
