/** Where things stand on the map, and which of them is next to what. Pure. */

const SETTLING = 12;
/** How much a step aside counts against a step ahead, when an arrow key looks for the next dot. */
const ASIDE = 2.2;

/** The smallest box around all [x, y], with a margin (a share of its size); of one size at least. */
export function bounds(points, { margin = 0.06, least = 0.2 } = {}) {
  const box = { left: Infinity, right: -Infinity, bottom: Infinity, top: -Infinity };
  for (const [x, y] of points) {
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.bottom = Math.min(box.bottom, y);
    box.top = Math.max(box.top, y);
  }
  if (!points.length) return { left: -1, right: 1, bottom: -1, top: 1 };
  const [x, width] = widened(box.left, box.right, least, margin);
  const [y, height] = widened(box.bottom, box.top, least, margin);
  return { left: x - width / 2, right: x + width / 2, bottom: y - height / 2, top: y + height / 2 };
}

function widened(low, high, least, margin) {
  return [(low + high) / 2, Math.max(high - low, least) * (1 + 2 * margin)];
}

/** A place of the map in pixels; y grows upwards on the map and downwards on the screen. */
export function onScreen([x, y], box, { width, height }) {
  return { x: ((x - box.left) / (box.right - box.left)) * width, y: ((box.top - y) / (box.top - box.bottom)) * height };
}

/** Push apart what would cover each other: a few steps, always the same for the same places. */
export function spread(places, { apart, width, height, inset = 0 }) {
  const moved = places.map(({ x, y }) => ({ x, y }));
  for (let step = 0; step < SETTLING; step += 1) {
    if (!pushed(moved, apart)) break;
  }
  for (const place of moved) {
    place.x = Math.min(width - inset, Math.max(inset, place.x));
    place.y = Math.min(height - inset, Math.max(inset, place.y));
  }
  return moved;
}

function pushed(places, apart) {
  let any = false;
  for (let one = 0; one < places.length; one += 1) {
    for (let other = one + 1; other < places.length; other += 1) {
      const dx = places[other].x - places[one].x;
      const dy = places[other].y - places[one].y;
      const distance = Math.hypot(dx, dy);
      if (distance >= apart) continue;
      // On the very same spot every direction is as good: one that depends on nothing but the order.
      const turn = distance > 1e-6 ? Math.atan2(dy, dx) : one + 2.4 * other;
      const push = (apart - distance) / 2;
      places[one].x -= push * Math.cos(turn);
      places[one].y -= push * Math.sin(turn);
      places[other].x += push * Math.cos(turn);
      places[other].y += push * Math.sin(turn);
      any = true;
    }
  }
  return any;
}

/** The index of the place nearest to (x, y) within `reach` pixels, or -1. */
export function nearest(places, { x, y }, reach) {
  let found = -1;
  let best = reach;
  places.forEach((place, index) => {
    const distance = Math.hypot(place.x - x, place.y - y);
    if (distance < best) [found, best] = [index, distance];
  });
  return found;
}

const AHEAD = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

/**
 * The index of the place that a key leads to from place `from`: the nearest one ahead, the first or last for Home and
 * End. -1: the key is not for the map; `from` itself: there is nothing further that way.
 */
export function neighbour(places, from, key) {
  if (key === "Home") return 0;
  if (key === "End") return places.length - 1;
  if (!(key in AHEAD)) return -1;
  const [right, down] = AHEAD[key];
  let found = from;
  let best = Infinity;
  places.forEach((place, index) => {
    const ahead = (place.x - places[from].x) * right + (place.y - places[from].y) * down;
    const aside = Math.abs((place.x - places[from].x) * down) + Math.abs((place.y - places[from].y) * right);
    if (index === from || ahead <= 0 || aside > ASIDE * ahead) return;
    const cost = Math.hypot(ahead, ASIDE * aside);
    if (cost < best) [found, best] = [index, cost];
  });
  return found;
}
