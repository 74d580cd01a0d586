/** Elements as the taste page is built of: no markup in strings. */

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. attributes: true is a bare attribute, false or null is left out. */
export function html(name, attributes = {}, ...children) {
  return dressed(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return dressed(document.createElementNS(SVG, name), attributes, children);
}

/** An icon of the sprite. */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, svg("use", { href: `${document.body.dataset.icons}#${name}` }));
}

/** What a rating is called. */
export function opinion(rating) {
  if (rating === 1) return "liked";
  return rating === -1 ? "disliked" : "not rated";
}

/**
 * Change a part of the page without losing the focus: the element that had it is found again by its data-key;
 * when it is gone, `otherwise` takes the focus.
 */
export function keepingFocus(root, change, otherwise) {
  const focused = root.contains(document.activeElement) ? document.activeElement : null;
  const key = focused?.dataset.key;
  change();
  if (!focused || document.activeElement === focused) return;
  const again = key ? root.querySelector(`[data-key="${CSS.escape(key)}"]`) : null;
  (again ?? otherwise)?.focus({ preventScroll: true });
}

function dressed(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}
