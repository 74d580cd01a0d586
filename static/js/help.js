/** The dialog with the keys, and the switch that turns them off (WCAG 2.1.4). */
export class Help {
  #dialog;
  #storage;
  #switch;

  constructor({ dialog, storage }) {
    this.#dialog = dialog;
    this.#storage = storage;
    this.#switch = dialog.querySelector("[data-shortcuts-switch]");
    this.#switch.checked = storage.get("shortcuts", true);
    this.#switch.addEventListener("change", () => storage.set("shortcuts", this.#switch.checked));
    dialog.addEventListener("click", (event) => event.target === dialog && this.close());
  }

  get open() { return this.#dialog.open; }
  get keysWanted() { return this.#storage.get("shortcuts", true); }

  toggle() {
    if (this.open) this.close();
    else this.#dialog.showModal();
  }

  close() { this.#dialog.close(); }
}
