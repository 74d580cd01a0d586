"""The words that the generator knows: the lexicon of prompts, and the tokens with their meaning as numbers.

Plain Python: a web process may import it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from models_store.generators.soundfont.genres import GENRES
from models_store.generators.soundfont.instruments import INSTRUMENTS
from models_store.generators.soundfont.words import (
    KEYS,
    MODES,
    MOODS,
    NUMERIC_TEMPOS,
    SETTINGS,
    SILENCEABLE,
    TEMPOS,
    Effect,
)
from models_store.prompts import Lexicon

LEXICON: Lexicon = {
    "mood": tuple(MOODS),
    "genre": tuple(GENRES),
    "instruments": tuple(INSTRUMENTS),
    "tempo": (*TEMPOS, *(f"{bpm} bpm" for bpm in range(60, 181, 10))),
    "key": (*KEYS, *(mode for mode in MODES if mode not in ("major", "minor"))),
    "setting": tuple(SETTINGS),
}

PAD = "<pad>"
COLOURS = 16
"""Unknown words fall on this many colours, each a small, stable influence of its own."""

DIM = 32
"""Size of a token's embedding: 12 numbers say what kind of token it is, 20 what it means."""

KINDS = ("mood", "genre", "instrument", "tempo", "key", "mode", "setting", "silence", "colour")
_KIND_WIDTH, _MEANING_WIDTH, _SIGNATURE_WIDTH = 12, 12, 8
_KIND_WEIGHT, _MEANING_WEIGHT, _SIGNATURE_WEIGHT = 0.62, 0.62, 0.48


@dataclass(frozen=True)
class Token:
    """A word the generator understands, and its fixed embedding: DIM numbers of norm 1 (the padding's are 0)."""

    text: str
    kind: str
    embedding: tuple[float, ...]


def _unit(values: list[float], length: float) -> list[float]:
    norm = math.sqrt(sum(v * v for v in values)) or 1.0
    return [length * v / norm for v in values]


def _token(text: str, kind: str, meaning: list[float]) -> Token:
    """Near meanings get near embeddings; a small signature of its own keeps every token apart from the others."""
    draw = random.Random(f"soundfont vocabulary 1: {kind} {text}")
    signature = [draw.gauss(0.0, 1.0) for _ in range(_SIGNATURE_WIDTH)]
    which = [1.0 if kind == other else 0.0 for other in KINDS] + [0.0] * (_KIND_WIDTH - len(KINDS))
    padded = meaning + [0.0] * (_MEANING_WIDTH - len(meaning))
    parts = _unit(which, _KIND_WEIGHT) + _unit(padded, _MEANING_WEIGHT) + _unit(signature, _SIGNATURE_WEIGHT)
    return Token(text, kind, tuple(_unit(parts, 1.0)))


def _tempo_angle(bpm: float) -> list[float]:
    """A tempo as a point on an arc, so that near tempos are near and far ones far."""
    angle = math.pi * (math.log2(bpm) - math.log2(40)) / (math.log2(220) - math.log2(40))
    return [math.cos(angle), math.sin(angle)]


def _effect(effect: Effect) -> list[float]:
    return [*effect, 0.15]


def _genre(name: str) -> list[float]:
    g = GENRES[name]
    slow, fast = g.bpm
    return [
        1.0 - 2.0 * g.minor,
        2.0 * g.energy - 1.0,
        g.brightness,
        2.0 * g.density - 1.0,
        2.0 * g.space - 1.0,
        math.log2(math.sqrt(slow * fast) / 105.0) * 2.0,
        0.0,
        g.acoustic,
        g.swing,
        1.0 if g.drums else -1.0,
        0.5 if g.colour > 3 else -0.5,
    ]


def _instrument(name: str) -> list[float]:
    i = INSTRUMENTS[name]
    roles = [1.2 if role in i.roles else 0.0 for role in "lcpbad"]
    return [
        *roles,
        i.brightness,
        i.acoustic,
        (i.low + i.high - 130) / 30.0 if i.roles != "d" else 0.0,
        float(i.vibrato),
    ]


def _fifths(tonic: int) -> list[float]:
    """A tonic on the circle of fifths: near keys share notes."""
    angle = 2.0 * math.pi * (tonic * 7 % 12) / 12.0
    return [math.cos(angle), math.sin(angle)]


def _all() -> Iterator[Token]:
    yield Token(PAD, "pad", (0.0,) * DIM)
    for word, effect in MOODS.items():
        yield _token(word, "mood", _effect(effect))
    for word in GENRES:
        yield _token(word, "genre", _genre(word))
    for word in INSTRUMENTS:
        yield _token(word, "instrument", _instrument(word))
    for word, bpm in (*TEMPOS.items(), *NUMERIC_TEMPOS.items()):
        yield _token(word, "tempo", _tempo_angle(bpm))
    for word, (tonic, mode) in KEYS.items():
        yield _token(word, "key", [*_fifths(tonic), 0.6 if mode == "major" else -0.6])
    for word, valence in MODES.items():
        yield _token(word, "mode", [0.0, 0.0, valence, 0.5])
    for word, effect in SETTINGS.items():
        yield _token(word, "setting", _effect(effect))
    for word in (*SILENCEABLE, *(i for i in INSTRUMENTS if i not in SILENCEABLE)):
        meaning = _instrument(word) if word in INSTRUMENTS else [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5]
        yield _token(f"no {word}", "silence", meaning)
    for number in range(COLOURS):
        angle = 2.0 * math.pi * number / COLOURS
        yield _token(f"<colour {number}>", "colour", [math.cos(angle), math.sin(angle)])


TOKENS: tuple[Token, ...] = tuple(_all())
TOKEN_INDEX: dict[str, int] = {token.text: index for index, token in enumerate(TOKENS)}
