/** What the ratings prove, and how well they were foretold: bars with their intervals, and a curve with a table. */

import { html, svg } from "./elements.js";
import { percent } from "./words.js";

const HEIGHT = 220;
/** Widths of the picture that can be read, in pixels. */
const LEAST_WIDTH = 260;
const MOST_WIDTH = 740;
const EDGE = { left: 44, right: 12, top: 12, bottom: 34 };

/** Show `proof` (see listening/proofs.py) in the section. */
export function showProof(root, proof) {
  const find = (name) => root.querySelector(`[data-proof-${name}]`);
  find("sentence").textContent = proof.sentence;
  root.dataset.verdict = proof.verdict;
  const bars = [["Evolved for you", "evolved", proof.evolved], ["Made for others", "others", proof.controls]];
  const known = bars.every(([, , interval]) => interval.mean !== null);
  find("bars").hidden = !known;
  if (known) find("bars").replaceChildren(...bars.map(([label, kind, interval]) => bar(label, kind, interval)));
  const { curve, accuracy, base_accuracy: base } = proof.prediction;
  find("curve").hidden = curve.length < 2;
  find("accuracy").textContent = foretold(curve, accuracy, base);
  if (curve.length >= 2) draw(find("curve"), curve);
}

function foretold(curve, accuracy, base) {
  if (accuracy.mean === null) return "Every rating is foretold before you give it. None is compared yet.";
  const words = `Of ${accuracy.count} rating${accuracy.count === 1 ? "" : "s"}, ${percent(accuracy.mean)} were foretold rightly`;
  return base === null ? `${words}.` : `${words}; always saying what you say most would have been right for ${percent(base)}.`;
}

function bar(label, kind, { mean, low, high, count }) {
  const meter = html("div", { class: `proof-bar proof-${kind}`, "aria-hidden": "true" }, html("span", { class: "proof-fill" }), html("span", { class: "proof-range" }));
  for (const [name, value] of Object.entries({ mean, low, high })) meter.style.setProperty(`--${name}`, value);
  return html(
    "li",
    {},
    html("span", { class: "proof-label" }, label),
    meter,
    html("span", { class: "proof-figure" }, html("b", {}, percent(mean)), ` liked, ${percent(low).replace(" %", "")} to ${percent(high)}, of ${count}`),
  );
}

/** Places of the curve's points in the picture: x by ratings, y by a share. */
export function curvePlaces(curve, value, width) {
  const most = curve.at(-1).ratings;
  const least = curve[0].ratings;
  return curve.map((point) => [
    EDGE.left + ((point.ratings - least) / Math.max(1, most - least)) * (width - EDGE.left - EDGE.right),
    EDGE.top + (1 - value(point)) * (HEIGHT - EDGE.top - EDGE.bottom),
  ]);
}

function draw(figure, curve) {
  const width = Math.min(MOST_WIDTH, Math.max(LEAST_WIDTH, figure.clientWidth));
  const line = (value) => path(curvePlaces(curve, value, width));
  const band = [...curvePlaces(curve, (point) => point.high, width), ...curvePlaces(curve, (point) => point.low, width).reverse()];
  const picture = figure.querySelector("svg");
  picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  picture.replaceChildren(
    ...[0, 0.5, 1].flatMap((share) => rule(share, width)),
    svg("path", { class: "curve-band", d: `${path(band)}Z` }),
    svg("path", { class: "curve-base", d: line((point) => point.base) }),
    svg("path", { class: "curve-recent", d: line((point) => point.recent) }),
    svg("path", { class: "curve-line", d: line((point) => point.accuracy) }),
    svg("text", { x: EDGE.left, y: HEIGHT - 10, class: "curve-tick" }, `${curve[0].ratings}`),
    svg("text", { x: width - EDGE.right, y: HEIGHT - 10, class: "curve-tick", "text-anchor": "end" }, `${curve.at(-1).ratings} ratings`),
  );
  const last = curve.at(-1);
  picture.setAttribute("aria-label", `Share of ratings foretold rightly: ${percent(last.accuracy)} after ${last.ratings} ratings, lately ${percent(last.recent)}. The figures are in the table below.`);
  figure.querySelector("tbody").replaceChildren(...thinned(curve, 12).map(tableRow));
}

function tableRow(point) {
  return html("tr", {}, html("th", { scope: "row" }, `${point.ratings}`), ...["accuracy", "recent", "base"].map((name) => html("td", {}, percent(point[name]))));
}

function rule(share, width) {
  const y = EDGE.top + (1 - share) * (HEIGHT - EDGE.top - EDGE.bottom);
  return [
    svg("path", { class: "curve-rule", d: `M${EDGE.left} ${y}H${width - EDGE.right}` }),
    svg("text", { x: EDGE.left - 8, y: y + 4, class: "curve-tick", "text-anchor": "end" }, percent(share)),
  ];
}

function path(places) {
  return places.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

/** At most `most` of the points, evenly spread, the last one always. */
export function thinned(points, most) {
  const step = Math.ceil(points.length / most);
  return points.filter((_, index) => (points.length - 1 - index) % step === 0);
}
