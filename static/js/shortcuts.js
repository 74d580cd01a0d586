/** Keys to commands. Pure but for `bindShortcuts`. */

const PLAIN = {
  " ": "toggle",
  ArrowLeft: "back",
  ArrowRight: "forward",
  ArrowUp: "louder",
  ArrowDown: "softer",
  l: "like",
  d: "dislike",
  u: "undo",
  r: "replay",
  n: "next",
  p: "previous",
  e: "evolve",
  "?": "help",
};
const SHIFTED = { ArrowLeft: "previous", ArrowRight: "next", d: "never", "?": "help" };
const REPEATABLE = new Set(["back", "forward", "louder", "softer"]);

/** The command of a key press {key, ctrlKey, metaKey, altKey, shiftKey, repeat}, or null. */
export function command({ key, ctrlKey, metaKey, altKey, shiftKey, repeat }) {
  if (ctrlKey || metaKey || altKey || !key) return null;
  const name = key.length === 1 ? key.toLowerCase() : key;
  const found = (shiftKey ? SHIFTED[name] : PLAIN[name]) ?? null;
  return repeat && !REPEATABLE.has(found) ? null : found;
}

/**
 * Whether the focused element needs the key itself: fields take all, sliders their arrows,
 * a control that was reached by keyboard takes the space bar.
 *
 * @param byPointer  the focus was put there by a mouse or finger: nobody means to press that control with space
 */
export function taken(target, { key, shiftKey }, { byPointer }) {
  if (target.closest("input:not([type=range], [type=checkbox]), textarea, select, [contenteditable]:not([contenteditable=false])")) return true;
  if (key.startsWith("Arrow") && !shiftKey && target.closest("[role=slider], input[type=range]")) return true;
  return key === " " && !byPointer && target.closest("button, a[href], summary, input, [role=button]") !== null;
}

/** Call `run(command)` for every key that is meant for us, while `enabled()`. */
export function bindShortcuts({ run, enabled, root = document }) {
  let byPointer = false;
  let swallowSpace = false;
  root.addEventListener("pointerdown", () => { byPointer = true; }, true);
  root.addEventListener("keydown", (event) => {
    if (event.key === "Tab") byPointer = false;
    const found = command(event);
    if (!found || event.defaultPrevented || !enabled(found) || taken(event.target, event, { byPointer })) return;
    event.preventDefault();
    // A ring around the button last clicked would say that the key belongs to it.
    if (byPointer) event.target.closest("button, a")?.blur();
    swallowSpace = event.key === " ";
    run(found);
  });
  root.addEventListener("keyup", (event) => {
    // A focused button is pressed when the space bar is released, not when it goes down.
    if (event.key === " " && swallowSpace) event.preventDefault();
    swallowSpace = false;
  });
}
