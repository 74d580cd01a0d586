"""What the embedded generator writes: its arrangements as notes."""

from __future__ import annotations

import itertools

import pytest

from models_store.generators.soundfont import drums, harmony
from models_store.generators.soundfont.accompaniment import BASS, CHORDS
from models_store.generators.soundfont.arranger import Piece, PlayedPart, arrange
from models_store.generators.soundfont.description import describe, said
from models_store.generators.soundfont.genres import GENRES
from models_store.generators.soundfont.harmony import Chord
from models_store.generators.soundfont.instruments import INSTRUMENTS
from models_store.generators.soundfont.melody import STYLES
from models_store.generators.soundfont.reading import tokens
from models_store.generators.soundfont.score import Timeline, hits


def piece(prompt: str, *, seed: int = 1, seconds: float = 8.0) -> Piece:
    return arrange(describe(said(tokens(prompt))), seed=seed, seconds=seconds)


def part(of: Piece, role: str) -> PlayedPart | None:
    return next((p for p in of.parts if p.role == role), None)


@pytest.mark.parametrize("genre", GENRES)
def test_the_tables_of_every_genre_fit_together(genre: str) -> None:
    habits = GENRES[genre]
    assert habits.bass in BASS
    assert habits.chords in CHORDS
    assert habits.melody in STYLES
    assert not habits.drums or habits.drums in drums.FAMILIES
    names = (*habits.lead, *habits.comp, *habits.pad, *habits.low, *habits.arp, habits.kit)
    assert [name for name in names if name and name not in INSTRUMENTS] == []
    for minor, progressions in ((False, habits.major), (True, habits.minor_progressions)):
        for progression in progressions:
            assert harmony.chords(progression, tonic=3, minor=minor, colour=habits.colour)


@pytest.mark.parametrize("genre", GENRES)
def test_every_genre_plays_several_parts_within_hearing(genre: str) -> None:
    for seed in range(4):
        found = piece(genre, seed=seed)
        assert len(found.parts) >= 3
        for played in found.parts:
            assert all(0.0 <= e.start < 8.0 and 0 <= e.key <= 127 and 0.0 < e.gain <= 1.5 for e in played.events)


def test_a_candidate_is_the_beginning_of_its_track() -> None:
    for genre in ("jazz", "techno", "waltz", "lo-fi"):
        short, long = piece(genre, seconds=4.0), piece(genre, seconds=12.0)
        assert (short.bpm, short.tonic, short.mode) == (long.bpm, long.tonic, long.mode)
        for a, b in zip(short.parts, long.parts, strict=True):
            assert a.instrument == b.instrument
            first = [(e.start, e.key, e.gain) for e in a.events if e.start < 3.9]
            assert [(e.start, e.key, e.gain) for e in b.events if e.start < 3.9] == first


def test_a_candidate_starts_with_everybody() -> None:
    for genre in ("pop", "funk", "trance"):
        for played in piece(genre, seconds=4.0).parts:
            assert min(e.start for e in played.events) < 2.5


def test_a_long_piece_has_an_introduction_without_the_tune() -> None:
    long = piece("pop", seconds=60.0)
    lead = part(long, "lead")
    assert lead is not None
    assert min(e.start for e in lead.events) > 4.0


def test_a_tune_comes_back() -> None:
    """The rhythm of the first bar of a long piece's melody returns: a motif, not a stream of notes."""
    long = piece("pop 120 bpm", seconds=60.0)
    lead = part(long, "lead")
    assert lead is not None
    bars: dict[int, list[int]] = {}
    for event in lead.events:
        bar, within = divmod(event.start + 0.05, 2.0)
        bars.setdefault(int(bar), []).append(round(within * 4))
    rhythms = [tuple(r) for r in bars.values()]
    assert max(rhythms.count(r) for r in rhythms) >= 4


def test_melodies_agree_with_their_chords() -> None:
    """Held notes of tunes are tones of the key far more often than chance (7 of 12) would have it."""
    inside = total = 0
    for genre, seed in itertools.product(("pop", "folk", "classical", "synthwave"), range(4)):
        found = piece(f"{genre} in c major", seed=seed)
        lead = part(found, "lead")
        assert lead is not None
        total += len(lead.events)
        inside += sum(e.key % 12 in harmony.SCALES["major"] for e in lead.events)
    assert inside / total > 0.95


def test_voices_move_by_the_shortest_way() -> None:
    led: tuple[int, ...] = ()
    moves = []
    for chord in harmony.chords("I vi IV V I", tonic=0, minor=False, colour=3):
        after = harmony.voicing(chord, before=led, centre=60.0, voices=3)
        assert {key % 12 for key in after} <= set(chord.tones)
        moves += [abs(a - b) for a, b in zip(led, after, strict=False)]
        led = after
    assert max(moves) <= 5
    assert sum(moves) / len(moves) < 2.5


def test_a_progression_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="numerals"):
        harmony.chords("I H", tonic=0, minor=False, colour=3)


def test_a_seventh_is_minor_on_the_dominant_and_major_on_the_tonic() -> None:
    one, five = harmony.chords("I V", tonic=0, minor=False, colour=4)
    assert one == Chord(0, (0, 4, 7, 11))
    assert five == Chord(7, (7, 11, 2, 5))


def test_keys_are_obeyed() -> None:
    found = piece("classical in e flat minor")
    assert (found.tonic, found.mode) == (3, "minor")


def test_numeric_tempos_are_exact() -> None:
    assert piece("samba 92 bpm").bpm == pytest.approx(92.0)


def test_tempo_words_are_ordered() -> None:
    tempos = [piece(f"{word} pop").bpm for word in ("very slow", "slow", "medium tempo", "fast", "very fast")]
    assert tempos == sorted(tempos)
    assert tempos[-1] > 2.0 * tempos[0]


@pytest.mark.parametrize("prompt", ["rock without drums", "no drums, house", "drumless funk", "samba with no beat"])
def test_no_drums_means_no_drums(prompt: str) -> None:
    assert part(piece(prompt), "drums") is None


def test_negated_instruments_do_not_play() -> None:
    for seed in range(6):
        found = piece("jazz without piano, no saxophone and no bass", seed=seed)
        playing = {p.instrument for p in found.parts}
        assert not playing & {"piano", "electric piano", "saxophone", "double bass"}
        assert part(found, "bass") is None


def test_something_plays_even_when_everything_is_denied() -> None:
    assert piece("no drums, no bass, no melody, no chords").parts


def test_a_soloist_plays_alone() -> None:
    assert {p.instrument for p in piece("solo piano").parts} == {"piano"}
    assert {p.instrument for p in piece("unaccompanied violin, rock").parts} == {"violin"}


def test_something_plays_even_when_every_instrument_is_denied() -> None:
    everything = [(f"no {name}", 1.0) for name in INSTRUMENTS]
    assert arrange(describe(everything), seed=1, seconds=4.0).parts


def test_instruments_that_are_named_play() -> None:
    for name, instrument in INSTRUMENTS.items():
        played = {p.instrument for p in piece(f"pop with {name}").parts}
        assert name in played, (name, instrument)


def test_several_instruments_all_play() -> None:
    wanted = {"flute", "piano", "strings", "double bass", "brushes"}
    assert wanted <= {p.instrument for p in piece(f"bossa nova with {', '.join(sorted(wanted))}").parts}


def test_sad_is_minor_and_happy_is_major() -> None:
    def minors(mood: str) -> int:
        return sum(harmony.is_minor(piece(f"{mood} pop", seed=seed).mode) for seed in range(20))

    assert minors("happy") <= 2
    assert minors("sad") >= 18


def test_a_busy_piece_has_more_notes_than_a_sparse_one() -> None:
    def notes(word: str) -> int:
        return sum(len(p.events) for seed in range(4) for p in piece(f"{word} pop", seed=seed).parts)

    assert notes("busy") > 1.4 * notes("sparse")


def test_seeds_make_different_pieces_and_a_seed_the_same() -> None:
    found = [piece("folk", seed=seed) for seed in (1, 1, 2, 3)]
    assert found[0] == found[1]
    assert len({tuple(e.key for e in p.parts[0].events) for p in found[1:]}) == 3


def test_swing_delays_the_off_beat() -> None:
    straight, swung = (Timeline(120.0, 4, swing, False) for swing in (0.0, 1.0))
    assert straight.seconds(0, 2) == pytest.approx(0.25)
    assert swung.seconds(0, 2) == pytest.approx(1 / 3)
    assert swung.seconds(0, 4) == straight.seconds(0, 4)


def test_rhythms_are_read_with_rests_and_held_notes() -> None:
    found = hits("X--.o-..")
    assert [(h.step, h.length, h.letter) for h in found] == [(0, 3, "X"), (4, 2, "o")]
