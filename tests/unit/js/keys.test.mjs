import assert from "node:assert/strict";
import { test } from "node:test";
import { command } from "../../../static/js/shortcuts.js";
import { following } from "../../../static/js/theme.js";
import { bars, keyTime } from "../../../static/js/waveform.js";

const press = (key, more = {}) => command({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, repeat: false, ...more });

test("every key of the help does what the help says", () => {
  const wanted = {
    " ": "toggle", l: "like", d: "dislike", u: "undo", n: "next", p: "previous", r: "replay", e: "evolve",
    ArrowLeft: "back", ArrowRight: "forward", ArrowUp: "louder", ArrowDown: "softer",
  };
  for (const [key, name] of Object.entries(wanted)) assert.equal(press(key), name, key);
  assert.equal(press("?", { shiftKey: true }), "help");
});

test("caps lock changes nothing", () => {
  assert.equal(press("L"), "like");
});

test("shift and an arrow go a whole track", () => {
  assert.equal(press("ArrowLeft", { shiftKey: true }), "previous");
  assert.equal(press("ArrowRight", { shiftKey: true }), "next");
});

test("keys with control, alt or the system's key are the browser's", () => {
  for (const modifier of ["ctrlKey", "altKey", "metaKey"]) assert.equal(press("l", { [modifier]: true }), null);
  assert.equal(press("L", { shiftKey: true }), null);
});

test("a key held down rates once, but goes on seeking", () => {
  assert.equal(press("l", { repeat: true }), null);
  assert.equal(press("ArrowRight", { repeat: true }), "forward");
});

test("other keys and events without a key mean nothing", () => {
  assert.equal(press("x"), null);
  assert.equal(press(undefined), null);
});

test("the slider's keys step, jump and reach both ends", () => {
  const place = { time: 30, duration: 100 };
  assert.deepEqual(["ArrowLeft", "ArrowRight", "PageUp", "PageDown", "Home", "End", "x"].map((key) => keyTime(key, place)), [25, 35, 40, 20, 0, 100, null]);
});

test("no peak is lost when the waveform is narrowed, and none invented when it is widened", () => {
  const peaks = Array.from({ length: 200 }, (_, index) => (index === 137 ? 1 : 0.1));
  for (const count of [1, 7, 60, 200, 333]) {
    const drawn = bars(peaks, count);
    assert.equal(drawn.length, count);
    assert.equal(Math.max(...drawn), 1);
    assert.ok(drawn.every((bar) => bar === 1 || bar === 0.1));
  }
  assert.deepEqual(bars([], 3), [0, 0, 0]);
});

test("the theme's switch comes round", () => {
  assert.deepEqual(["auto", "light", "dark"].map(following), ["light", "dark", "auto"]);
});
