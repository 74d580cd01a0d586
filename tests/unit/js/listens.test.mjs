import assert from "node:assert/strict";
import { test } from "node:test";
import { makeCommands } from "../../../static/js/commands.js";
import { Concert } from "../../../static/js/concert.js";
import { Listens } from "../../../static/js/listens.js";
import { Player } from "../../../static/js/player.js";
import { RatingQueue } from "../../../static/js/queue.js";
import { Ratings } from "../../../static/js/ratings.js";
import { command } from "../../../static/js/shortcuts.js";
import { Storage } from "../../../static/js/storage.js";
import { heard, MapStorage, playlistOf, settle, SilentAudio } from "./doubles.mjs";

const first = playlistOf("one", 1, ["Dawn", "Noon"]);
const second = playlistOf("two", 2, ["Dusk"]);

function queueIn(backing, key, send = async () => {}, online = () => false) {
  return new RatingQueue({ storage: new Storage(backing), key: () => key, send, online, random: () => 0 });
}

function stage({ send, online } = {}) {
  const made = [];
  const backing = new MapStorage();
  const player = new Player({ makeAudio: () => made[made.push(new SilentAudio()) - 1] });
  const ratings = new Ratings({ queue: queueIn(backing, "ratings.me"), now: () => new Date(0) });
  const concert = new Concert({ player, ratings });
  const queue = queueIn(backing, "listens.me", send, online);
  const listens = new Listens({ queue, player, concert, now: () => new Date(0) });
  const audio = made[0];
  audio.duration = 12;
  const said = () => queue.waiting.map(({ track, ending, seconds }) => [track, ending, seconds]);
  return { audio, backing, concert, listens, player, queue, ratings, said };
}

/** A new track begins at 0: our silent audio does not know that by itself. */
function rewind(audio) {
  audio.currentTime = 0;
}

test("a track heard to its end is finished, and what follows it is a hearing of its own", async () => {
  const { audio, concert, said } = stage();
  await concert.take(first, { play: true });
  audio.finish(12);
  await settle();
  rewind(audio);
  audio.run(3);
  concert.previous();
  concert.previous();
  assert.deepEqual(said(), [["one-1", "finished", 12], ["one-2", "left", 3]]);
});

test("next before the end is a skip; another row, the track before and an offer taken by its button are not", async () => {
  const { audio, concert, said } = stage();
  await concert.take(first, { play: true });
  audio.run(4);
  concert.next();
  rewind(audio);
  audio.run(2);
  concert.go("one-1");
  rewind(audio);
  audio.run(2);
  concert.arrived(second, { asked: false, news: true });
  concert.takeOffer();
  assert.deepEqual(said(), [["one-1", "skipped", 4], ["one-2", "left", 2], ["one-1", "left", 2]]);
});

test("next at the end of a playlist, on to the one that is offered, is a skip too", async () => {
  const { audio, concert, said } = stage();
  await concert.take(first, { track: "one-2", play: true });
  audio.run(5);
  concert.arrived(second, { asked: false, news: true });
  concert.next();
  assert.deepEqual(said(), [["one-2", "skipped", 5]]);
});

test("who only seeks to the end has not heard the track out", async () => {
  const { audio, concert, player, said } = stage();
  await concert.take(first, { play: true });
  audio.run(2);
  player.seek(10);
  audio.finish(12);
  assert.deepEqual(said(), [["one-1", "left", 4]]);
});

test("leafing through a playlist sends nothing", async () => {
  const { audio, concert, said } = stage();
  await concert.take(first, { play: true });
  audio.run(0.75);
  concert.next();
  assert.deepEqual(said(), []);
});

test("a page that goes leaves its track, and one that comes back begins anew", async () => {
  const { audio, concert, listens, said } = stage();
  await concert.take(first, { play: true });
  audio.run(4);
  listens.leave();
  listens.leave();
  audio.run(6);
  concert.next();
  assert.deepEqual(said(), [["one-1", "left", 4], ["one-1", "skipped", 2]]);
});

test("a playlist played out and begun again counts each hearing by itself", async () => {
  const { audio, concert, player, said } = stage();
  await concert.take(second, { play: true });
  audio.finish(12);
  rewind(audio);
  player.seek(0);
  audio.run(5);
  concert.take(first, { play: true });
  assert.deepEqual(said(), [["two-1", "finished", 12], ["two-1", "left", 5]]);
});

test("hearings wait for a connection, beside the ratings and not among them", async () => {
  const sent = [];
  let online = false;
  const { audio, concert, queue, ratings, backing } = stage({ send: async (one) => sent.push(one), online: () => online });
  await concert.take(first, { play: true });
  ratings.press({ track: "one-1", value: 1, seconds: 3 });
  audio.run(4);
  concert.next();
  assert.equal(queue.size, 1);
  assert.equal(queueIn(backing, "ratings.me").size, 1);
  online = true;
  await queue.flush();
  assert.equal(queue.size, 0);
  assert.match(sent[0].id, /^[0-9a-f-]{36}$/);
  assert.deepEqual([sent[0].track, sent[0].ending, sent[0].given_at], ["one-1", "skipped", "1970-01-01T00:00:00.000Z"]);
});

test("what can never be sent does not fill the storage", async () => {
  const { audio, concert, said } = stage();
  await concert.take(first, { play: true });
  for (let count = 0; count < 205; count++) {
    concert.go("one-1");
    rewind(audio);
    audio.run(1);
  }
  assert.equal(said().length, 200);
});

function desk() {
  const made = stage();
  const spoken = [];
  const commands = makeCommands({ ...made, say: (text) => spoken.push(text) });
  return { ...made, commands, spoken };
}

test("shift D means never again, as the help says", () => {
  const press = { key: "D", ctrlKey: false, metaKey: false, altKey: false, shiftKey: true, repeat: false };
  assert.equal(command(press), "never");
  assert.equal(command({ ...press, repeat: true }), null);
  assert.equal(command({ ...press, shiftKey: false }), "dislike");
});

test("never again is a dislike that goes on to the next track, and undo takes it back", async () => {
  const { audio, commands, concert, player, ratings, said, spoken } = desk();
  const changes = heard(ratings, "change");
  await concert.take(first, { play: true });
  audio.run(3);
  commands.never();
  assert.deepEqual([ratings.of("one-1"), ratings.never("one-1"), player.track.id], [-1, true, "one-2"]);
  assert.deepEqual(said(), [["one-1", "skipped", 3]]);
  commands.undo();
  assert.deepEqual([ratings.of("one-1"), ratings.never("one-1")], [0, false]);
  assert.deepEqual(changes.map(({ value, never }) => [value, never]), [[-1, true], [0, false]]);
  assert.deepEqual(spoken, ["Never again: Dawn. Now: Noon.", "Taken back"]);
});

test("where nothing follows, never again makes silence", async () => {
  const { commands, concert, player } = desk();
  await concert.take(second, { play: true });
  commands.never();
  assert.deepEqual([player.track.id, player.state], ["two-1", "paused"]);
});

test("never again in silence goes nowhere, and the same again takes it back", async () => {
  const { commands, concert, player, ratings, spoken } = desk();
  await concert.take(first, { play: false });
  commands.never();
  assert.deepEqual([ratings.never("one-1"), player.track.id], [true, "one-1"]);
  commands.never();
  assert.deepEqual([ratings.of("one-1"), ratings.never("one-1")], [0, false]);
  assert.deepEqual(spoken, ["Never again: Dawn.", "No opinion on Dawn"]);
});

test("undo gives back never again, and what it replaced", () => {
  const { ratings } = stage();
  ratings.learn([{ id: "a", rating: -1, never: true }, { id: "b", rating: 1 }]);
  ratings.press({ track: "a", value: 1, seconds: 1 });
  assert.equal(ratings.never("a"), false);
  ratings.pressNever({ track: "b", seconds: 1 });
  ratings.undo(() => 0);
  assert.deepEqual([ratings.of("b"), ratings.never("b")], [1, false]);
  ratings.undo(() => 0);
  assert.deepEqual([ratings.of("a"), ratings.never("a")], [-1, true]);
});

test("a dislike can become never again, and dislike takes both back", () => {
  const { ratings } = stage();
  ratings.press({ track: "a", value: -1, seconds: 1 });
  ratings.pressNever({ track: "a", seconds: 1 });
  assert.deepEqual([ratings.of("a"), ratings.never("a")], [-1, true]);
  ratings.press({ track: "a", value: -1, seconds: 1 });
  assert.deepEqual([ratings.of("a"), ratings.never("a")], [0, false]);
});

test("never again that waits is remembered by the next page, and sent as such", () => {
  const backing = new MapStorage();
  new Ratings({ queue: queueIn(backing, "ratings.me") }).pressNever({ track: "a", seconds: 1 });
  const queue = queueIn(backing, "ratings.me");
  const later = new Ratings({ queue });
  later.learn([{ id: "a", rating: null, never: false }]);
  assert.deepEqual([later.of("a"), later.never("a")], [-1, true]);
  assert.deepEqual(queue.waiting.map(({ value, never }) => [value, never]), [[-1, true]]);
});
