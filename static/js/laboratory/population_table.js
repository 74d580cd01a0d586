/** The table of a generation's candidates, turned and sorted without leaving the page. Event "choose" {key}, "trouble". */

import { getHtml } from "./requests.js";

export class PopulationTable extends EventTarget {
  #root;
  /** Until somebody chooses what to read, the newest generation is shown. */
  #held = new URLSearchParams(location.search).has("generation");

  constructor({ root }) {
    super();
    this.#root = root;
    root.addEventListener("click", (event) => this.#clicked(event));
  }

  /** This is the newest generation: show it, unless somebody reads another or is in the table; then offer it. */
  offer({ id }) {
    const shown = this.#root.querySelector("[data-population-heading]")?.dataset.generation;
    if (shown === String(id)) return;
    const newest = this.#root.querySelector("[data-turn=newest]");
    if (this.#held || this.#root.contains(document.activeElement)) newest.hidden = false;
    else this.#turn(newest?.href ?? `${location.pathname}?`, null);
  }

  #clicked(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const show = event.target.closest("[data-show]");
    if (show) {
      const key = { generation: Number(show.dataset.generation), position: Number(show.dataset.position) };
      this.#held = true;
      this.dispatchEvent(new CustomEvent("choose", { detail: { key } }));
    }
    const link = event.target.closest("a[data-turn]");
    if (!link) return;
    event.preventDefault();
    this.#held = link.dataset.turn !== "newest";
    this.#turn(link.href, link.dataset.turn);
  }

  async #turn(address, used) {
    this.#root.setAttribute("aria-busy", "true");
    try {
      const text = await getHtml(`${address}&part=population`);
      const template = document.createElement("template");
      template.innerHTML = text;
      this.#root.replaceChildren(template.content);
      if (used) (this.#root.querySelector(`[data-turn="${CSS.escape(used)}"]:not([hidden])`) ?? this.#root.querySelector("[data-population-heading]"))?.focus();
    } catch (error) {
      this.dispatchEvent(new CustomEvent("trouble", { detail: { message: error.message } }));
    } finally {
      this.#root.removeAttribute("aria-busy");
    }
  }
}
