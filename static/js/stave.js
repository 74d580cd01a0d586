/** The best fitness of each generation as notes on a stave: the better, the higher. */

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 320;
const TOP = 18;
const BOTTOM = 66;
const MARGIN = 22;

/**
 * Places of the notes: [{x, y}] in the view box, for `best` (any numbers) of `generations` in all.
 * The scale reaches from the lowest to the highest value; a single value stands in the middle.
 */
export function places(best, generations) {
  const columns = Math.max(generations, best.length, 1);
  const low = Math.min(...best);
  const span = Math.max(...best) - low;
  return best.map((value, index) => ({
    x: MARGIN + ((index + 0.5) * (WIDTH - 2 * MARGIN)) / columns,
    y: span > 0 ? BOTTOM - ((value - low) / span) * (BOTTOM - TOP) : (TOP + BOTTOM) / 2,
  }));
}

/** Draw on an SVG with the view box 0 0 320 84, and say in words what is drawn. */
export function drawStave(svg, { best, generations, working }) {
  const parts = [0, 1, 2, 3, 4].map((line) => shape("path", { d: `M0 ${TOP + line * 12}.5H${WIDTH}`, class: "stave-line" }));
  const notes = places(best, generations);
  if (notes.length > 1) {
    parts.push(shape("polyline", { points: notes.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "), class: "stave-trend" }));
  }
  notes.forEach((place, index) => parts.push(note(place, index === notes.length - 1)));
  for (const place of places(new Array(Math.max(0, generations)).fill(0), generations).slice(best.length)) {
    parts.push(shape("circle", { cx: place.x, cy: place.y, r: 2.2, class: "stave-rest" }));
  }
  svg.replaceChildren(...parts);
  svg.classList.toggle("stave-working", working);
  svg.setAttribute("aria-label", spoken(best));
}

function note({ x, y }, last) {
  const group = shape("g", { class: last ? "stave-note stave-note-last" : "stave-note" });
  const up = y > (TOP + BOTTOM) / 2;
  group.append(
    shape("path", { d: up ? `M${x + 6.4} ${y}V${y - 30}` : `M${x - 6.4} ${y}V${y + 30}` }),
    shape("ellipse", { cx: x, cy: y, rx: 7.2, ry: 5.2, transform: `rotate(-22 ${x} ${y})` }),
  );
  return group;
}

function spoken(best) {
  if (!best.length) return "Nothing measured yet";
  return `Best fitness by generation: ${best.map((value) => value.toFixed(2)).join(", ")}`;
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
