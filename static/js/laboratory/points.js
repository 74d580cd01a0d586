/** The candidates of all generations as points, and the ways from one to the next. */

/** Neighbouring generations stay apart: points stand within this much of theirs. */
const SPREAD = 0.6;
const GOLDEN = 0.618034;

/**
 * Points in ascending order of x: {xs, ys, keys, elites, newest}.
 * keys: {generation: its id, index, position}; elites and newest: true where the point is one, or of the last generation.
 * @param across  "generation", "likeness" or "artefacts"
 */
export function flatten(generations, across) {
  const last = generations.at(-1)?.index;
  const points = generations.flatMap(({ id, index, points: scores }) => {
    if (!scores) return [];
    const kept = new Set(scores.elites);
    return scores.fitness.map((fitness, position) => ({
      x: across === "generation" ? index + aside(position) : scores[across][position],
      y: fitness,
      key: { generation: id, index, position },
      elite: kept.has(position),
      newest: index === last,
    }));
  });
  points.sort((one, other) => one.x - other.x);
  return {
    xs: points.map(({ x }) => x),
    ys: points.map(({ y }) => y),
    keys: points.map(({ key }) => key),
    elites: points.map(({ elite }) => elite),
    newest: points.map(({ newest }) => newest),
  };
}

/** A step aside, the same for the same position, so that points of one generation do not hide each other. */
function aside(position) {
  return (((position * GOLDEN) % 1) - 0.5) * SPREAD;
}

/** The point that is nearest to (left, top) within `reach` pixels, or -1. `toLeft` and `toTop` turn values to pixels. */
export function nearest({ xs, ys }, { left, top, reach, toLeft, toTop }) {
  let found = -1;
  let least = reach * reach;
  for (let place = 0; place < xs.length; place++) {
    const distance = (toLeft(xs[place]) - left) ** 2 + (toTop(ys[place]) - top) ** 2;
    if (distance <= least) [found, least] = [place, distance];
  }
  return found;
}

/** Where a candidate stands among the points, or -1. */
export function placeOf({ keys }, key) {
  return key ? keys.findIndex(({ generation, position }) => generation === key.generation && position === key.position) : -1;
}

/**
 * The candidate that a key leads to, or null: up and down by fitness within the generation, left and right to the
 * nearest in fitness of the generation before or after, Home and End to the worst and best of the generation.
 * Without a candidate to go from, any of these keys leads to the fittest of the newest generation.
 */
export function step(points, from, key) {
  if (!["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End"].includes(key) || !points.keys.length) return null;
  const here = placeOf(points, from);
  if (here === -1) return points.keys[ranked(points, Math.max(...points.keys.map(({ index }) => index))).at(-1)];
  const { index } = points.keys[here];
  if (key === "ArrowLeft" || key === "ArrowRight") return across(points, here, key === "ArrowLeft" ? -1 : 1);
  const places = ranked(points, index);
  const rank = places.indexOf(here);
  const wanted = { ArrowUp: rank + 1, ArrowDown: rank - 1, Home: 0, End: places.length - 1 }[key];
  return points.keys[places[Math.min(places.length - 1, Math.max(0, wanted))]];
}

/** The places of a generation's candidates, the least fit first. */
function ranked({ keys, ys }, index) {
  const places = [...keys.keys()].filter((place) => keys[place].index === index);
  return places.sort((one, other) => ys[one] - ys[other] || keys[other].position - keys[one].position);
}

function across({ keys, ys }, here, direction) {
  const indices = [...new Set(keys.map(({ index }) => index))].sort((one, other) => one - other);
  const wanted = indices[indices.indexOf(keys[here].index) + direction];
  if (wanted === undefined) return keys[here];
  const places = [...keys.keys()].filter((place) => keys[place].index === wanted);
  const far = (place) => Math.abs(ys[place] - ys[here]);
  return keys[places.reduce((best, place) => (far(place) < far(best) ? place : best))];
}
