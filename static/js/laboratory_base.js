/** What every page of the laboratory has: the theme switch. Charts repaint on `evomusic:theme`. */

import { browserStorage, Storage } from "./storage.js";
import { bindTheme } from "./theme.js";

const button = document.querySelector("[data-action=theme]");
button.hidden = false;
bindTheme({
  button,
  storage: new Storage(browserStorage()),
  onChange: () => document.dispatchEvent(new Event("evomusic:theme")),
});
