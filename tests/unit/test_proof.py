from __future__ import annotations

import math
import random

import pytest

from models_store.taste import proof
from models_store.taste.proof import Block

PLAYLISTS = 60
EVOLVED = 6


def listener(seed, *, evolved, controls, playlists=PLAYLISTS):
    """Somebody who likes songs of each kind with these probabilities."""
    rng = random.Random(seed)
    for _ in range(playlists):
        yield Block(tuple(rng.random() < evolved for _ in range(EVOLVED)), (rng.random() < controls,))


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8])
def test_random_raters_are_shown_nothing_however_often_they_look(rate):
    """200 of them, 60 playlists each. The verdict stays once reached: one look at the end sees every look before.

    The bets allow 4 % false proofs; at most 10 of 200, 5 %, are allowed here.
    """
    proved = sum(proof.prove(listener(seed, evolved=rate, controls=rate)).verdict == "proved" for seed in range(200))
    assert proved <= 10


def test_a_listener_who_looked_with_an_ordinary_test_would_be_misled():
    """What the intervals are for: the same random raters, tested anew after each playlist at 5 %."""
    misled = 0
    for seed in range(200):
        total = squares = 0.0
        for count, block in enumerate(listener(seed, evolved=0.5, controls=0.5), start=1):
            total += block.difference
            squares += block.difference**2
            spread = math.sqrt(max(1e-12, squares / count - (total / count) ** 2) / count)
            if count >= 5 and total / count > 1.645 * spread:
                misled += 1
                break
    assert misled > 40


def test_moods_that_move_both_kinds_alike_prove_nothing():
    """The rate of likes swings from playlist to playlist, follows the last one, and decides how much is rated."""
    proved = 0
    for seed in range(200):
        rng = random.Random(seed)
        blocks, mood = [], 0.5
        for number in range(PLAYLISTS):
            rate = min(0.98, max(0.02, 0.5 * mood + 0.5 * (0.5 + 0.48 * math.sin(number / 7 + seed))))
            rated = 1 + rng.randrange(EVOLVED) if rate < 0.5 else EVOLVED
            opinions = tuple(rng.random() < rate for _ in range(rated))
            controls = (rng.random() < rate,) if rng.random() < 0.3 + 0.7 * rate else ()
            blocks.append(Block(opinions, controls))
            mood = sum(opinions) / len(opinions)
        proved += proof.prove(blocks).verdict == "proved"
    assert proved <= 10


def test_tiredness_towards_the_end_proves_nothing_where_the_control_may_stand_anywhere():
    proved = 0
    for seed in range(200):
        rng = random.Random(seed)
        blocks = []
        for _ in range(PLAYLISTS):
            said = [rng.random() < 0.9 - 0.1 * position for position in range(EVOLVED + 1)]
            control = said.pop(rng.randrange(EVOLVED + 1))
            blocks.append(Block(tuple(said), (control,)))
        proved += proof.prove(blocks).verdict == "proved"
    assert proved <= 10


def test_a_listener_who_is_known_gets_a_proof():
    """70 % against 35 %: half of them within 20 playlists, nine of ten within 40."""
    after = [proof.prove(listener(seed, evolved=0.7, controls=0.35)).after or 999 for seed in range(200)]
    assert sorted(after)[100] <= 20
    assert sorted(after)[180] <= 40


def test_a_listener_who_likes_the_controls_better_is_told_so():
    found = proof.prove(listener(1, evolved=0.2, controls=0.8))
    assert found.verdict == "opposite"
    assert found.difference.high < 0
    assert proof.sentence(found).startswith("The opposite is proved, after")


def test_who_likes_everything_is_shown_nothing():
    found = proof.prove(Block((True,) * EVOLVED, (True,)) for _ in range(200))
    assert found.verdict == "nothing"
    assert found.evidence == 0.0
    assert (found.evolved.mean, found.controls.mean, found.difference.mean) == (1.0, 1.0, 0.0)


def test_nothing_is_taken_from_playlists_in_which_there_is_nothing_to_compare():
    blocks = [Block((True, False), ()), Block((), (True,)), Block((), ()), Block((True, True), (False,))]
    found = proof.prove(blocks)
    assert found.compared == 1
    assert (found.evolved.count, found.controls.count) == (2, 1)
    assert found.difference.mean == 1.0


def test_nothing_rated_is_nothing_to_show():
    found = proof.prove([])
    assert (found.verdict, found.after, found.compared, found.evidence) == ("nothing", None, 0, 0.0)
    assert proof.sentence(found).startswith("Nothing to show yet: no playlist is rated")


def test_a_proof_stays_where_later_playlists_are_like_chance():
    known = list(listener(3, evolved=0.9, controls=0.2, playlists=25))
    found = proof.prove([*known, *listener(4, evolved=0.5, controls=0.5, playlists=40)])
    assert found.verdict == "proved"
    assert found.after == proof.prove(known).after
    assert found.evidence == 1.0


def test_the_sentence_says_both_shares_and_where_they_lie():
    blocks = [Block((True, True, True, False), (number % 4 == 0,)) for number in range(40)]
    found = proof.prove(blocks)
    assert proof.sentence(found) == (
        f"Proved after {found.after} of 40 playlists: songs evolved for you: liked 75 % "
        f"({100 * found.evolved.low:.0f} to {100 * found.evolved.high:.0f}), against 25 % "
        f"({100 * found.controls.low:.0f} to {100 * found.controls.high:.0f}) for songs made for others."
    )
    assert "for whom they were played to" in proof.sentence(found, everyone=True)


def test_a_control_counts_as_much_as_the_evolved_songs_of_its_playlist():
    assert Block((True, False), (True,)).difference == -0.5
    assert Block((True, True, True), (True, False)).difference == 0.5
    assert Block((True,), ()).difference is None


def test_who_always_says_the_same_of_a_song_could_be_predicted_always():
    found = proof.noise([(True, True)] * 30 + [(False, False)] * 30)
    assert (found.changed.mean, found.best, found.best_high) == (0.0, 1.0, 1.0)
    assert found.best_low > 0.8


def test_who_decides_by_a_coin_cannot_be_predicted():
    found = proof.noise([(True, False), (True, True), (False, True), (False, False)] * 200)
    assert found.best == 0.5
    assert found.best_low == 0.5
    assert found.best_high < 0.72


def test_without_repeats_nothing_is_said_of_the_noise():
    found = proof.noise([])
    assert (found.changed.mean, found.best, found.best_low, found.best_high) == (None, None, 0.5, 1.0)


@pytest.mark.parametrize("spread", [0.05, 0.3, 3.0, 50.0])
def test_the_best_possible_accuracy_lies_where_the_repeats_say(spread):
    """Songs of all kinds of uncertainty: chances from a Beta distribution."""
    rng = random.Random(2)
    chances = [rng.betavariate(spread, spread) for _ in range(4000)]
    pairs = [(rng.random() < chance, rng.random() < chance) for chance in chances]
    best = sum(max(chance, 1 - chance) for chance in chances) / len(chances)
    found = proof.noise(pairs)
    assert found.best_low <= best <= found.best_high
