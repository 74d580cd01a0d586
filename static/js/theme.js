/** The theme switch: automatic, light, dark, remembered. */

const ORDER = ["auto", "light", "dark"];
const SPOKEN = { auto: "automatic", light: "light", dark: "dark" };

/** The theme that follows `theme` when the switch is pressed. */
export function following(theme) {
  return ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
}

export function bindTheme({ button, storage, root = document.documentElement, onChange }) {
  let theme = root.dataset.theme ?? "auto";
  const show = () => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    button.dataset.shows = theme;
    button.setAttribute("aria-label", `Theme: ${SPOKEN[theme]}`);
    button.title = `Theme: ${SPOKEN[theme]}`;
    onChange();
  };
  button.addEventListener("click", () => {
    theme = following(theme);
    storage.set("theme", theme);
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
  show();
}
