/** The table of a generation's candidates, turned and sorted without leaving the page. Event "choose" {key}, "trouble". */

import { getHtml } from "./requests.js";

export class PopulationTable extends EventTarget {
  #root;

  constructor({ root }) {
    super();
    this.#root = root;
    root.addEventListener("click", (event) => this.#clicked(event));
  }

  /** This is the newest generation: offer it where another is shown, show it where there was none. */
  offer({ id }) {
    const shown = this.#root.querySelector("[data-population-heading]")?.dataset.generation;
    if (shown === undefined) this.#turn(`${location.pathname}?`, null);
    else this.#root.querySelector("[data-turn=newest]").hidden = shown === String(id);
  }

  #clicked(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const show = event.target.closest("[data-show]");
    if (show) {
      const key = { generation: Number(show.dataset.generation), position: Number(show.dataset.position) };
      this.dispatchEvent(new CustomEvent("choose", { detail: { key } }));
    }
    const link = event.target.closest("a[data-turn]");
    if (!link) return;
    event.preventDefault();
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
