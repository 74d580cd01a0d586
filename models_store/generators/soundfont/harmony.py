"""Scales, chords, progressions, and voices that move to the next chord by the shortest way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "phrygian dominant": (0, 1, 4, 5, 7, 8, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
}

_DEGREES = ("I", "II", "III", "IV", "V", "VI", "VII")
_NUMERAL = re.compile(r"(b?)([IViv]+)(7?)")


@dataclass(frozen=True)
class Chord:
    """root: pitch class. tones: pitch classes, root first, then third, fifth and what colours it."""

    root: int
    tones: tuple[int, ...]

    @property
    def third(self) -> int:
        return self.tones[1]

    @property
    def fifth(self) -> int:
        return self.tones[2]

    @property
    def restful(self) -> tuple[int, ...]:
        """The tones that a held note may rest on: none that rubs on its seventh or ninth."""
        rubbing = {(tone + 1) % 12 for tone in self.tones[3:]}
        return tuple(tone for tone in self.tones[:4] if tone not in rubbing)


def is_minor(mode: str) -> bool:
    """Whether a mode has a minor third (the blues is played over major chords)."""
    return mode in ("minor", "dorian", "phrygian", "harmonic minor", "minor pentatonic")


def chords(progression: str, *, tonic: int, minor: bool, colour: int) -> tuple[Chord, ...]:
    """The chords of `I vi ii7 bVII`: capitals major, small letters minor, of the major or the natural minor scale.

    colour: 3 for triads, 4 adds sevenths, 5 ninths.
    """
    scale = SCALES["minor" if minor else "major"]
    found = []
    for word in progression.split():
        match = _NUMERAL.fullmatch(word)
        if match is None:
            raise ValueError(f"progression: expected numerals such as `I vi bVII V7`, got {word!r} in {progression!r}")
        flat, numeral, seventh = match.groups()
        degree = _DEGREES.index(numeral.upper())
        offset = scale[degree] - (1 if flat else 0)
        found.append(
            _chord(tonic + offset, degree, numeral.isupper(), minor, max(colour, 4 if seventh else 3), seventh)
        )
    return tuple(found)


def _chord(root: int, degree: int, major: bool, minor_key: bool, colour: int, seventh: str) -> Chord:
    diminished = not major and (degree == 6 or (minor_key and degree == 1))
    tones = [0, 4 if major else 3, 6 if diminished else 7]
    dominant = bool(seventh) or degree == 4 or (degree == 6 and major)
    if colour >= 4:
        tones.append(10 if not major or dominant else 11)
    if colour >= 5 and not diminished and not (minor_key and degree == 4) and not (degree == 2 and not major):
        tones.append(2)
    return Chord(root % 12, tuple((root + t) % 12 for t in tones))


def melody_scale(chord: Chord, *, tonic: int, mode: str, pentatonic: bool) -> tuple[int, ...]:
    """The pitch classes to sing over a chord: the mode's, bent where the chord contradicts it."""
    if pentatonic and mode not in ("blues", "phrygian dominant", "phrygian"):
        mode = "minor pentatonic" if is_minor(mode) else "pentatonic"
    tones = {(tonic + step) % 12 for step in SCALES[mode]}
    if mode != "blues":
        for tone in chord.tones[:4]:
            if tone not in tones:
                # F sharp over D major in C: the F beside it would rub.
                tones -= {(tone + 1) % 12, (tone - 1) % 12} - set(chord.tones)
                tones.add(tone)
    return tuple(sorted(tones))


def nearest(key: float, classes: tuple[int, ...]) -> int:
    """The MIDI key of one of the pitch classes that is nearest to `key`; of two, the lower."""
    middle = round(key)
    return min(
        (k for k in range(middle - 7, middle + 8) if k % 12 in classes), key=lambda k: (abs(k - key), k), default=middle
    )


def step_from(key: int, steps: int, classes: tuple[int, ...]) -> int:
    """The key that lies `steps` scale steps above (or below) `key`."""
    direction = 1 if steps > 0 else -1
    for _ in range(abs(steps)):
        key += direction
        while key % 12 not in classes:
            key += direction
    return key


def voicing(chord: Chord, *, before: tuple[int, ...], centre: float, voices: int) -> tuple[int, ...]:
    """A close position of the chord near `centre` that the voices of `before` reach by the shortest way.

    Beyond four tones the root is left to the bass, then the fifth: what colours a chord is not dropped.
    """
    tones = list(chord.tones)
    if len(tones) > voices:
        tones.remove(chord.root)
    if len(tones) > voices and chord.fifth in tones and chord.fifth == (chord.root + 7) % 12:
        tones.remove(chord.fifth)
    best: tuple[int, ...] = ()
    least = float("inf")
    for lowest in range(round(centre) - 12, round(centre) + 4):
        if lowest % 12 not in tones:
            continue
        keys = _stack(lowest, tones, voices)
        cost = 0.35 * abs(sum(keys) / len(keys) - centre)
        if before:
            cost += sum(min(abs(k - b) for b in before) for k in keys) / len(keys) + 0.5 * abs(keys[-1] - before[-1])
        # Seconds low in the register sound muddy.
        cost += sum(2.0 for a, b in pairwise(keys) if b - a <= 2 and a < 52)
        if cost < least:
            best, least = keys, cost
    return best


def _stack(lowest: int, tones: list[int], voices: int) -> tuple[int, ...]:
    keys = sorted(lowest + (tone - lowest) % 12 for tone in tones)
    while len(keys) < voices:
        keys.append(keys[len(keys) - len(tones)] + 12)
    return tuple(keys)
