/** Colours of the style sheet for what is painted on a canvas, in the theme of the moment. */

/** The custom properties that tell lines apart, in the order of their use. */
export const LINES = Array.from({ length: 12 }, (_, place) => `--line-${place + 1}`);

/** A custom property as a colour that a canvas understands. */
export function colour(element, name) {
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.style.color = `var(${name})`;
  element.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** Call when the theme has changed, by the switch or by the system. */
export function onTheme(repaint) {
  document.addEventListener("evomusic:theme", repaint);
}
