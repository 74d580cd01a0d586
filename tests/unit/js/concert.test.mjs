import assert from "node:assert/strict";
import { test } from "node:test";
import { Concert } from "../../../static/js/concert.js";
import { handover } from "../../../static/js/handover.js";
import { Player } from "../../../static/js/player.js";
import { RatingQueue } from "../../../static/js/queue.js";
import { Ratings } from "../../../static/js/ratings.js";
import { Sequence } from "../../../static/js/sequence.js";
import { Storage } from "../../../static/js/storage.js";
import { heard, MapStorage, playlistOf, settle, SilentAudio } from "./doubles.mjs";

const first = playlistOf("one", 1, ["Dawn", "Noon"]);
const second = playlistOf("two", 2, ["Dusk", "Night"]);

function stage() {
  const made = [];
  const player = new Player({ makeAudio: () => made[made.push(new SilentAudio()) - 1] });
  const queue = new RatingQueue({ storage: new Storage(new MapStorage()), key: () => "r", send: async () => {}, online: () => false });
  const ratings = new Ratings({ queue });
  return { player, queue, ratings, audio: made[0], concert: new Concert({ player, ratings }) };
}

test("a track that ends is followed by the next one", async () => {
  const { player, audio, concert } = stage();
  await concert.take(first, { play: true });
  audio.finish(12);
  await settle();
  assert.equal(player.track.title, "Noon");
  assert.equal(player.state, "playing");
});

test("a track that ends unrated is passed with the seconds really heard", async () => {
  const { player, audio, concert, queue } = stage();
  await concert.take(first, { play: true });
  audio.run(2);
  audio.duration = 12;
  player.seek(9);
  audio.finish(12);
  assert.deepEqual(queue.waiting.map(({ track, value, seconds }) => [track, value, seconds]), [["one-1", 0, 5]]);
});

test("at the end of the playlist the concert waits, and the next playlist plays as soon as it comes", async () => {
  const { player, audio, concert } = stage();
  const finished = heard(concert, "finished");
  await concert.take(first, { track: "one-2", play: true });
  audio.finish(12);
  assert.equal(finished.length, 1);
  assert.equal(concert.arrived(second, { asked: false, news: true }), "play");
  await settle();
  assert.equal(player.track.title, "Dusk");
  assert.equal(player.state, "playing");
});

test("a playlist that comes while music plays is offered, and taken when the track ends", async () => {
  const { player, audio, concert } = stage();
  const offers = heard(concert, "offer");
  await concert.take(first, { play: true });
  assert.equal(concert.arrived(second, { asked: true, news: true }), "offer");
  assert.equal(player.track.title, "Dawn");
  audio.finish(12);
  await settle();
  assert.equal(player.track.title, "Dusk");
  assert.deepEqual(offers.map(({ playlist }) => playlist?.number ?? null), [2, null]);
});

test("a playlist starts at its first unrated track", async () => {
  const { player, ratings, concert } = stage();
  ratings.learn([{ id: "one-1", rating: -1 }]);
  await concert.take(first, { play: false });
  assert.equal(player.track.title, "Noon");
  assert.equal(player.state, "ready");
});

test("previous starts a track again that has run for a while, and goes back otherwise", async () => {
  const { player, audio, concert } = stage();
  await concert.take(first, { track: "one-2", play: true });
  audio.run(5);
  concert.previous();
  assert.deepEqual([player.track.title, player.time], ["Noon", 0]);
  concert.previous();
  assert.equal(player.track.title, "Dawn");
});

test("a browser that wants a gesture first leaves the player refused, and the gesture plays", async () => {
  const { player, audio, concert } = stage();
  audio.refusal = "NotAllowedError";
  await concert.take(first, { play: true });
  assert.equal(player.state, "refused");
  assert.equal(player.started, false);
  audio.refusal = null;
  await player.toggle();
  assert.equal(player.state, "playing");
});

test("a seek is not listening", async () => {
  const { player, audio, concert } = stage();
  audio.duration = 100;
  await concert.take(first, { play: true });
  audio.run(1);
  player.seek(60);
  audio.run(61);
  assert.equal(player.heard("one-1"), 2);
});

test("music never bursts out of a pause that the listener made, unless they asked for it", () => {
  const paused = { playing: false, loaded: true, started: true, finished: false, news: true };
  assert.equal(handover({ ...paused, asked: false }), "offer");
  assert.equal(handover({ ...paused, asked: true }), "play");
});

test("a playlist that was there before the page is shown to an empty player and otherwise left", () => {
  const state = { playing: false, started: false, finished: false, asked: false, news: false };
  assert.equal(handover({ ...state, loaded: false }), "show");
  assert.equal(handover({ ...state, loaded: true }), "leave");
});

test("a sequence does not run over its ends, and stays where it is for an unknown track", () => {
  const sequence = new Sequence(first);
  assert.equal(sequence.previous().index, 0);
  assert.equal(sequence.next().next().index, 1);
  assert.equal(sequence.next().at("nowhere").index, 1);
  assert.throws(() => new Sequence({ id: "x", tracks: [] }), /at least one track/);
});

test("volume is told at once, stays between silence and full, and turning it up ends a mute", () => {
  const { player } = stage();
  const told = heard(player, "volume");
  player.setMuted(true);
  player.setVolume(1.3);
  assert.deepEqual([player.volume, player.muted, told.length], [1, false, 2]);
  player.setVolume(-1);
  assert.equal(player.volume, 0);
});
