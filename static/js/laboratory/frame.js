/** What all charts have around them. */

import { colour } from "./colours.js";

/** An axis in the page's type and colours. whole: its ticks are whole numbers. */
export function axis(place, { label, whole = false }) {
  const font = `13px ${getComputedStyle(place).fontFamily}`;
  return {
    label,
    labelSize: label ? 22 : 0,
    labelFont: font,
    labelGap: 0,
    font,
    size: label ? 34 : 46,
    gap: 4,
    stroke: colour(place, "--ink-soft"),
    grid: { stroke: colour(place, "--rule"), width: 1 },
    ticks: { stroke: colour(place, "--rule"), width: 1, size: 5 },
    ...(whole ? { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000], values: (_, splits) => splits.map((at) => (Number.isInteger(at) ? at : "")) } : {}),
  };
}

/** Call with the width of a place whenever it has another one. */
export function watchWidth(place, changed) {
  let width = place.clientWidth;
  new ResizeObserver(() => {
    if (place.clientWidth === width || !place.clientWidth) return;
    width = place.clientWidth;
    changed(width);
  }).observe(place);
}
