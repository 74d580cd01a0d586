import assert from "node:assert/strict";
import { test } from "node:test";
import { flatten, nearest, placeOf, step } from "../../../static/js/laboratory/points.js";

function generation(id, index, fitness, elites = []) {
  return { id, index, points: { fitness, likeness: fitness.map((one) => one + 1), artefacts: fitness.map(() => 0.1), elites } };
}

const two = [generation(7, 1, [0.1, 0.5, 0.3]), generation(9, 2, [0.15, 0.6, 0.45], [0])];
const at = (id, index, position) => ({ generation: id, index, position });

test("every candidate is a point beside its generation, in ascending order", () => {
  const points = flatten(two, "generation");
  assert.equal(points.xs.length, 6);
  assert.deepEqual(points.xs, points.xs.toSorted((one, other) => one - other));
  points.keys.forEach(({ index }, place) => assert.ok(Math.abs(points.xs[place] - index) < 0.4));
});

test("elites and the newest generation can be told from the others", () => {
  const points = flatten(two, "likeness");
  assert.deepEqual(points.keys.filter((_, place) => points.elites[place]), [at(9, 2, 0)]);
  assert.equal(points.newest.filter(Boolean).length, 3);
  assert.deepEqual([points.xs[0], points.ys[0]], [1.1, 0.1]);
});

test("a generation whose points are not known has none", () => {
  assert.equal(flatten([{ id: 1, index: 1, points: null }, two[1]], "generation").xs.length, 3);
});

test("the nearest point within reach is found, and none beyond it", () => {
  const points = flatten(two, "likeness");
  const scale = { toLeft: (x) => x * 100, toTop: (y) => 100 - y * 100 };
  assert.deepEqual(points.keys[nearest(points, { left: 148, top: 52, reach: 24, ...scale })], at(7, 1, 1));
  assert.equal(nearest(points, { left: 300, top: 52, reach: 24, ...scale }), -1);
});

test("the first key leads to the fittest of the newest generation", () => {
  const points = flatten(two, "generation");
  assert.deepEqual(step(points, null, "ArrowUp"), at(9, 2, 1));
});

test("up and down go by fitness within the generation, and stop at its ends", () => {
  const points = flatten(two, "generation");
  assert.deepEqual(step(points, at(7, 1, 0), "ArrowUp"), at(7, 1, 2));
  assert.deepEqual(step(points, at(7, 1, 1), "ArrowUp"), at(7, 1, 1));
  assert.deepEqual(step(points, at(7, 1, 2), "ArrowDown"), at(7, 1, 0));
  assert.deepEqual(step(points, at(7, 1, 0), "End"), at(7, 1, 1));
  assert.deepEqual(step(points, at(7, 1, 1), "Home"), at(7, 1, 0));
});

test("left and right go to the nearest in fitness of the generation beside", () => {
  const points = flatten(two, "generation");
  assert.deepEqual(step(points, at(7, 1, 1), "ArrowRight"), at(9, 2, 2));
  assert.deepEqual(step(points, at(9, 2, 0), "ArrowLeft"), at(7, 1, 0));
  assert.deepEqual(step(points, at(7, 1, 1), "ArrowLeft"), at(7, 1, 1));
});

test("equals in fitness are all reached, one after the other", () => {
  const points = flatten([generation(1, 1, [0.3, 0.3, 0.3])], "generation");
  const seen = new Set();
  for (let key = step(points, null, "Home"), count = 0; count < 3; count++, key = step(points, key, "ArrowDown")) seen.add(key.position);
  assert.equal(seen.size, 3);
});

test("other keys lead nowhere, and so does any key without a point", () => {
  assert.equal(step(flatten(two, "generation"), null, "a"), null);
  assert.equal(step(flatten([], "generation"), null, "ArrowUp"), null);
});

test("a candidate's place is its own, or none", () => {
  const points = flatten(two, "generation");
  assert.deepEqual(points.keys[placeOf(points, at(9, 2, 2))], at(9, 2, 2));
  assert.equal(placeOf(points, at(9, 2, 9)), -1);
  assert.equal(placeOf(points, null), -1);
});
