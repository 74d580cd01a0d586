"""Bass lines, chord figures, arpeggios and pads: rhythms whose letters say which tone of the chord sounds."""

from __future__ import annotations

import random

from models_store.generators.soundfont.harmony import Chord, nearest
from models_store.generators.soundfont.score import Hit, Note, hits

BASS: dict[str, tuple[str, ...]] = {
    "walking": ("R---3---5---a---", "R---5---8---a---", "R---2---3---a---", "R---8---5---a---"),
    "bossa": ("R-----5-5-----R-", "R-----5-5---5-R-"),
    "shuffle": ("R-R-3-3-5-5-6-5-", "R-R-5-5-6-6-5-5-", "R---3---5---6---"),
    "eighths": ("R-R-R-R-R-R-R-R-", "R-R-R-R-R-R-5-a-"),
    "gallop": ("R-RRR-RRR-RRR-RR", "R-RRR-RRR-RR8-RR"),
    "pop": ("R-----R-R---5-R-", "R-----R-R-----5-", "R---R-R-R---R-R-"),
    "funk": ("R--R..8.R.R.8.57", "R.R..8.R..5.8.7.", "R..R.R8...R.5.78"),
    "octaves": ("R-8-R-8-R-8-R-8-", "R-8-R-8-R-8-5-8-"),
    "offbeat": ("..R-..R-..R-..R-", "..R-..RR..R-..8-"),
    "sixteenths": (".RRR.RRR.RRR.RRR", ".RR8.RRR.RR8.R7R"),
    "sub": ("R---------R-----", "R-----R---------", "R-------..R---5-"),
    "wobble": ("R-R-R-R-R---R-R-", "R-----RRR-R-R-R-", "R--R--R-R-RRR-R-"),
    "hiphop": ("R-----.R..R-....", "R--.....R.R-5-..", "R-----..R--5..8."),
    "dub": ("R---..5-R-..3---", "..R-R---..5-3-R-", "R-----3-5---R-.."),
    "two_beat": ("R---....5---....", "R---....5---..a-"),
    "drone": ("R---------------",),
    "long": ("R---------------", "R-------5-------"),
    "baroque": ("R---2---3---5---", "R---5---3---2---", "R-3-5-3-R-5-3-a-"),
    "waltz": ("R-----------", "R-------5---"),
    "soul": ("R---..RR5---..a-", "R--R..5-8---5-..", "R-----R-5-6-8-a-"),
    "tumbao": ("......5-....N---", "......5-....8---"),
    "samba": ("R--R5--5R--R5--5", "R--R5---R--55---"),
    "tango": ("R---5---R---5---", "R-----5-8---5---"),
    "afro": ("R..R..5.R.7.8...", "R.R...5..7R...5."),
    "ostinato": ("R-R-R-R-R-R-R-R-", "R---R-R-R---R-R-", "R-------R-----R-"),
    "pulse": ("RRRRRRRRRRRRRRRR", "R-RRR-RRR-RRR-RR"),
}  # fmt: skip
"""R root, 2 3 5 6 7 8 intervals of the chord, a leads to the next root by a semitone, N is the next root already."""

CHORDS: dict[str, tuple[str, ...]] = {
    "charleston": ("C-----C---------", "..C-----..C-....", "C--.....C-..C---", "......C-....C-.."),
    "bossa": ("C-C--C-C-C--C-C-", "B-C-.C-.B.C-.C-."),
    "shuffle": ("C-C-C-C-C-C-C-C-", "..C-..C-..C-..C-", "C-.-C---..C-C-.-"),
    "power": ("P-P-P-P-P-P-P-P-", "P---P-P-P---P-P-", "P-------P-P-P---"),
    "chug": ("PpppPpppPpppPppp", "P-ppP-ppP-ppP---", "PppPppPpPppPppPp"),
    "eighths": ("C-C-C-C-C-C-C-C-", "C---C-C-C---C-C-", "C-----C-----C---"),
    "funk": ("..C.C..C..C..C.C", "C..C..C.C..C..C.", ".C.CC..C.C.C..C."),
    "disco": ("..CC..CC..CC..CC", "C.CC..C.C.CC..C."),
    "house": ("C--C--C---C--C--", "C--C--C-..C-..C-", "..C-..C-.C-C-.C-"),
    "stab": ("C.....C.........", "...C......C.....", "C..C............", "......C...C....."),
    "pad": ("C---------------",),
    "slow_chords": ("C-------C-------", "C-----C---------", "C---------C-----"),
    "skank": ("..C...C...C...C.", "..C...CC..C...C."),
    "boom_chick": ("B...C...B...C...", "B...C.C.B...C.C."),
    "fingerpick": ("B-2-1-3-B-2-3-1-", "B-3-2-1-B-1-2-3-", "B-1-2-3-4-3-2-1-"),
    "alberti": ("1-3-2-3-1-3-2-3-", "1-2-3-2-1-2-3-2-"),
    "broken": ("1-2-3-4-3-2-3-4-", "1234123412341234", "4-2-3-1-4-2-3-1-"),
    "waltz": ("....C-..C-..", "....C---C---"),
    "slow_arp": ("1---2---3---4---", "1-----3-----2---", "1---3---4---2---"),
    "flow": ("B-1-2-3-4-3-2-1-", "B-2-3-4-B-4-3-2-"),
    "gospel": ("C---C-C-C---C-C-", "C-C-..C-C---C---"),
    "montuno": ("1-32-.3.2-31.2-3", "C-21.C.2.C21.C.2"),
    "samba": ("C-.C.C-.C.C-.C.C", ".C-C.C-C.C.C-C.C"),
    "tango": ("C---C---C---C---", "C-----C-C---C-C-"),
    "strum16": ("C--CCC-CC-CCC-CC", "C-CCC-CCC--CC-CC"),
    "afro": ("1.2.3.2.1.3.2.3.", "..1.32..1.3.2.1."),
    "march": ("..C...C...C...C.", "....C...C...C.C."),
    "freddie": ("C-..C-..C-..C-..",),
    "drone": ("B-------C-------",),
    "arp16": ("1234123412341234", "1324132413241324"),
}  # fmt: skip
"""C the whole chord, B its root below, P root and fifth (p damped), 1 to 4 single voices from below."""

ARPEGGIOS = (
    "1-2-3-4-3-2-3-4-",
    "1234321234321234",
    "1-3-2-4-1-3-2-4-",
    "4321432143214321",
    "1-..2-..3-..4-..",
    "..1-..2-..3-..2-",
    "1.2.3..4..3.2..3",
)

_BASS_INTERVALS = {"R": 0, "2": 2, "6": 9, "8": 12}
_SHORT = {"stab": 0.6, "skank": 0.5, "funk": 0.5, "disco": 0.5, "march": 0.6, "freddie": 0.7, "tango": 0.5, "chug": 0.9}


def bass_bar(
    rhythm: str, chord: Chord, following: Chord, *, number: int, span: tuple[int, int], window: tuple[int, int]
) -> list[Note]:
    """A bass rhythm over `chord`, of which the steps in `window` sound. span: lowest and highest key."""
    low, high = span
    root = _in_span(chord.root, low, high)
    notes = []
    for hit in _within(rhythm, window):
        if hit.letter in "aN":
            target = nearest(root, (following.root,))
            key = target if hit.letter == "N" else target - 1 if target >= root else target + 1
        elif hit.letter in "357":
            key = root + _interval(chord, hit.letter)
        else:
            key = root + _BASS_INTERVALS[hit.letter]
        while key > high + 5:
            key -= 12
        strength = 0.95 if hit.step % 8 == 0 else 0.82 if hit.step % 2 == 0 else 0.72
        notes.append(Note(number, hit.step, hit.length * 0.94, key, strength))
    return notes


def chord_bar(
    rhythm: str,
    style: str,
    voices: tuple[int, ...],
    chord: Chord,
    *,
    number: int,
    window: tuple[int, int],
    draw: random.Random,
) -> list[Note]:
    """A chord rhythm on voices that are already led, of which the steps in `window` sound."""
    notes: list[Note] = []
    short = _SHORT.get(style, 0.95)
    for hit in _within(rhythm, window):
        strength = (0.9 if hit.step % 8 == 0 else 0.78 if hit.step % 4 == 0 else 0.7) + 0.06 * draw.random()
        length = hit.length * short
        if hit.letter in "Cc":
            # A strummed or played chord is not struck all at once: every voice a little later than the one below.
            notes += [Note(number, hit.step + 0.05 * i, length, key, strength) for i, key in enumerate(voices)]
        elif hit.letter in "Pp":
            low = _in_span(chord.root, 38, 49)
            damped = hit.letter == "p"
            keys = (low,) if damped else (low, low + 7, low + 12)
            notes += [
                Note(number, hit.step, length * (0.6 if damped else 1.0), k, strength - 0.2 * damped) for k in keys
            ]
        elif hit.letter == "B":
            notes.append(Note(number, hit.step, length, _in_span(chord.root, 40, 51), strength))
        else:
            index = int(hit.letter) - 1
            octave, voice = divmod(index, len(voices))
            # A picked string rings on under the next one.
            notes.append(Note(number, hit.step, length * 1.6, voices[voice] + 12 * octave, strength))
    return notes


def _within(rhythm: str, window: tuple[int, int]) -> list[Hit]:
    """The hits that start in the window, cut at its end."""
    start, end = window
    return [h._replace(length=min(h.length, end - h.step)) for h in hits(rhythm) if start <= h.step < end]


def _in_span(root: int, low: int, high: int) -> int:
    """The lowest key of a pitch class from `low` on; the octave below when that is above `high`."""
    key = low + (root - low) % 12
    return key if key <= high else key - 12


def _interval(chord: Chord, letter: str) -> int:
    if letter == "7":
        return (chord.tones[3] - chord.root) % 12 if len(chord.tones) > 3 else 10
    return ((chord.third if letter == "3" else chord.fifth) - chord.root) % 12
