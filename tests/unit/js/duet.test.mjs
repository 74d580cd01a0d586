import assert from "node:assert/strict";
import { test } from "node:test";
import { Concert } from "../../../static/js/concert.js";
import { fairness, shown } from "../../../static/js/duet.js";
import { handover } from "../../../static/js/handover.js";
import { Player } from "../../../static/js/player.js";
import { RatingQueue } from "../../../static/js/queue.js";
import { Ratings } from "../../../static/js/ratings.js";
import { Storage } from "../../../static/js/storage.js";
import { MapStorage, playlistOf, SilentAudio } from "./doubles.mjs";

const DUET = { partner: "ada", fairness: 0.5, making: false, message: "", ended: false, playlists: [] };

test("while nobody has joined, the page invites and nothing else", () => {
  const { heading, inviting, composing, over } = shown({ ...DUET, partner: null });
  assert.deepEqual([heading, inviting, composing, over], ["A duet", true, false, false]);
});

test("with two of them it offers a playlist", () => {
  const { heading, inviting, composing, busy, failed } = shown(DUET);
  assert.deepEqual([heading, inviting, composing, busy, failed], ["You and ada", false, true, false, false]);
});

test("while one is made it says so, and what went wrong before is not said any more", () => {
  const { busy, failed, message } = shown({ ...DUET, making: true, message: "It broke." });
  assert.deepEqual([busy, failed, message], [true, false, "A playlist for the two of you is being made."]);
});

test("what went wrong is shown as a failure", () => {
  const { busy, failed, message } = shown({ ...DUET, message: "It broke." });
  assert.deepEqual([busy, failed, message], [false, true, "It broke."]);
});

test("a duet that has ended offers nothing but what it made", () => {
  const { inviting, composing, over, made } = shown({ ...DUET, ended: true, playlists: [{}] });
  assert.deepEqual([inviting, composing, over, made], [false, false, true, true]);
  assert.equal(shown({ ...DUET, partner: null, ended: true }).inviting, false);
});

test("the slider's ends are told in words, and what lies between as a share", () => {
  assert.deepEqual([0, 1].map(fairness), ["most liked in sum", "neither of you dislikes it"]);
  assert.match(fairness(0.35), /^35 percent of the way/);
});

test("music that the other one asked for never begins by itself in a silent room", () => {
  const silent = { playing: false, loaded: true, started: false, finished: false, asked: false, news: true };
  assert.equal(handover({ ...silent, shared: true }), "offer");
  assert.equal(handover({ ...silent, shared: true, asked: true }), "play");
  assert.equal(handover({ ...silent, shared: false }), "play");
  assert.equal(handover({ ...silent, shared: true, loaded: false }), "show");
  assert.equal(handover({ ...silent, shared: true, finished: true }), "play");
});

test("a playlist with a partner is a shared one", async () => {
  const player = new Player({ makeAudio: () => new SilentAudio() });
  const queue = new RatingQueue({ storage: new Storage(new MapStorage()), key: () => "r", send: async () => {}, online: () => false });
  const concert = new Concert({ player, ratings: new Ratings({ queue }) });
  await concert.take(playlistOf("one", 1, ["Dawn"]), { play: false });
  const together = { ...playlistOf("two", 2, ["Dusk"]), partner: "ada" };
  assert.equal(concert.arrived(together, { asked: false, news: true }), "offer");
  assert.equal(player.track.title, "Dawn");
});
