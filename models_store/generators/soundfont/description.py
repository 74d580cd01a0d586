"""What is to be played: a prompt's tokens, or weights on them, as one continuous description of music."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from models_store.generators.soundfont.genres import GENRES, Genre
from models_store.generators.soundfont.instruments import FAMILIES, INSTRUMENTS
from models_store.generators.soundfont.vocabulary import COLOURS, TOKEN_INDEX, TOKENS
from models_store.generators.soundfont.words import KEYS, MOODS, NUMERIC_TEMPOS, SETTINGS, SUGGESTS, TEMPOS, Effect

Weights = Iterable[tuple[str, float]]
"""Tokens and how strongly each is meant, in [0, 1], in the order in which they are said."""

_HEARD = 0.35
"""A key or a silence is followed from this weight on."""

_SAID_EARLIER = 0.004
"""What is said first counts this much more, position by position: it decides between equals."""

MOST_INSTRUMENTS = 5


@dataclass(frozen=True)
class Description:
    """Music in words and numbers; a seed makes a piece of it.

    bpm: beats per minute, and tempo_spread: by how many octaves a seed may move it. tonic: semitones above C or None.
    mode: or None: from `valence`, which with `brightness` is in [-1, 1]. density, energy, space, swing: in [0, 1].
    instruments: those asked for, most wanted first. kit: the drum kit, "" for none. silenced: what must not sound.
    """

    genre: str
    bpm: float
    tempo_spread: float
    tonic: int | None
    mode: str | None
    valence: float
    brightness: float
    density: float
    energy: float
    space: float
    swing: float
    instruments: tuple[str, ...]
    kit: str
    silenced: frozenset[str]


def describe(weights: Weights) -> Description:
    """The description that weighted tokens blend into: discrete wishes by the heaviest, numbers by their mean."""
    kinds = _sorted_by_kind(weights)
    genres = _genre_weights(kinds)
    name = max(genres, key=lambda g: genres[g])
    effect = _effect(kinds)
    twist = _colour(kinds.get("colour", {}))
    silenced = _silenced(kinds.get("silence", {}))
    wanted = [i for i in _instruments(kinds.get("instrument", {})) if i not in silenced]
    bpm, spread = _tempo(kinds.get("tempo", {}), genres, effect.tempo + 0.12 * twist[0])
    tonic, mode = _key(kinds)

    def mean(value: str) -> float:
        return sum(weight * float(getattr(GENRES[g], value)) for g, weight in genres.items())

    return Description(
        genre=name,
        bpm=bpm,
        tempo_spread=spread,
        tonic=tonic,
        mode=mode,
        valence=_limited((1.0 - 2.0 * mean("minor")) * (0.6 if effect.valence else 1.0) + 1.2 * effect.valence, -1.0),
        brightness=_limited(mean("brightness") + 0.7 * effect.brightness + 0.15 * twist[1], -1.0),
        density=_limited(mean("density") + 0.4 * effect.density + 0.08 * twist[0]),
        energy=_limited(mean("energy") + 0.35 * effect.energy),
        space=_limited(mean("space") + 0.35 * effect.space),
        swing=_limited(mean("swing")),
        instruments=tuple([i for i in wanted if INSTRUMENTS[i].roles != "d"][:MOST_INSTRUMENTS]),
        kit=_kit(wanted, GENRES[name], silenced),
        silenced=silenced,
    )


def said(tokens: Iterable[str]) -> list[tuple[str, float]]:
    """The weights of tokens that are plainly said, each wholly."""
    return [(token, said_at(position)) for position, token in enumerate(tokens)]


def said_at(position: int) -> float:
    """The weight of what is said at a position."""
    return max(0.5, 1.0 - _SAID_EARLIER * position)


def _limited(value: float, low: float = 0.0) -> float:
    return min(1.0, max(low, value))


def _sorted_by_kind(weights: Weights) -> dict[str, dict[str, float]]:
    kinds: dict[str, dict[str, float]] = {}
    for text, weight in weights:
        token = TOKENS[TOKEN_INDEX[text]]
        of_kind = kinds.setdefault(token.kind, {})
        of_kind[text] = of_kind.get(text, 0.0) + weight
    return kinds


def _heaviest_first(weights: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(weights.items(), key=lambda item: -item[1])


def _genre_weights(kinds: dict[str, dict[str, float]]) -> dict[str, float]:
    """Genres that sum to 1: those said, and as far as none is said those that suit the rest of the prompt."""
    named = kinds.get("genre", {})
    total = sum(named.values())
    share = min(1.0, total / 0.75)
    weights = {g: share * w / total for g, w in named.items()} if total > 0 else {}
    if share < 0.99:
        for g, w in _suitable_genres(kinds).items():
            weights[g] = weights.get(g, 0.0) + (1.0 - share) * w
    return weights


def _suitable_genres(kinds: dict[str, dict[str, float]]) -> dict[str, float]:
    effect, instruments = _effect(kinds), kinds.get("instrument", {})
    tempo = kinds.get("tempo", {})
    brought: dict[str, float] = {}
    for kind in ("mood", "setting", "instrument"):
        for word, weight in kinds.get(kind, {}).items():
            genre_name = SUGGESTS.get(word, "")
            brought[genre_name] = brought.get(genre_name, 0.0) + weight
    scores = {}
    for name, genre in GENRES.items():
        slow, fast = genre.bpm
        score = {"pop": 0.2, "classical": 0.2}.get(name, 0.0) + 0.6 * brought.get(name, 0.0)
        score -= 1.5 * abs(genre.energy - 0.55 - 0.35 * effect.energy)
        score -= 1.0 * abs(genre.space - 0.35 - 0.4 * effect.space)
        score -= 0.6 * abs(genre.brightness - 0.2 - 0.6 * effect.brightness)
        score -= 0.5 * abs(1.0 - 2.0 * genre.minor - 0.2 - 0.8 * effect.valence)
        for word, weight in instruments.items():
            places = (genre.lead, genre.comp, genre.pad, genre.low, genre.arp, (genre.kit,))
            score += weight * max((0.5 + 0.5 / len(place) for place in places if word in place), default=0.0)
        for word, weight in tempo.items():
            asked = NUMERIC_TEMPOS.get(word) or TEMPOS[word]
            score -= weight * abs(math.log2(asked / math.sqrt(slow * fast)))
        scores[name] = 6.0 * score
    highest = max(scores.values())
    exponentials = {name: math.exp(score - highest) for name, score in scores.items()}
    total = sum(exponentials.values())
    return {name: e / total for name, e in exponentials.items()}


def _effect(kinds: dict[str, dict[str, float]]) -> Effect:
    """Moods and settings together: each kind's mean, settings at half weight."""
    sums = [0.0] * len(Effect._fields)
    for kind, table, share in (("mood", MOODS, 1.0), ("setting", SETTINGS, 0.6)):
        weights = kinds.get(kind, {})
        total = max(1.0, sum(weights.values()))
        for word, weight in weights.items():
            for i, value in enumerate(table[word]):
                sums[i] += share * value * weight / total
    return Effect(*sums)


def _colour(weights: dict[str, float]) -> tuple[float, float]:
    """Unknown words as a point in the unit disc."""
    total = max(1.0, sum(weights.values()))
    x = y = 0.0
    for token, weight in weights.items():
        angle = 2.0 * math.pi * int(token[8:-1]) / COLOURS
        x, y = x + weight * math.cos(angle) / total, y + weight * math.sin(angle) / total
    return x, y


def _tempo(said_tempos: dict[str, float], genres: dict[str, float], shift: float) -> tuple[float, float]:
    """Beats per minute, and the spread in octaves that is left to the seed."""
    middle = sum(w * math.log2(math.sqrt(GENRES[g].bpm[0] * GENRES[g].bpm[1])) for g, w in genres.items())
    spread = sum(w * math.log2(GENRES[g].bpm[1] / GENRES[g].bpm[0]) for g, w in genres.items()) / 2.0
    # Moods slow music down more readily than they hurry it.
    free = middle + (0.3 if shift > 0.0 else 0.55) * shift
    total = sum(said_tempos.values())
    if total <= 0:
        return 2.0**free, spread * (1.0 - min(0.6, abs(shift)))
    asked = sum(w * math.log2(NUMERIC_TEMPOS.get(t) or TEMPOS[t]) for t, w in said_tempos.items()) / total
    numeric = sum(w for t, w in said_tempos.items() if t in NUMERIC_TEMPOS) / total
    share = min(1.0, total / (1.0 - _SAID_EARLIER * 60)) * (numeric + (1.0 - numeric) * 0.8)
    if share > 0.99:
        return 2.0**asked, 0.0
    return 2.0 ** (share * asked + (1.0 - share) * free), spread * (1.0 - share)


def _key(kinds: dict[str, dict[str, float]]) -> tuple[int | None, str | None]:
    tonic: int | None = None
    mode: str | None = None
    keys, modes = kinds.get("key", {}), kinds.get("mode", {})
    if sum(keys.values()) >= _HEARD:
        tonic, mode = KEYS[_heaviest_first(keys)[0][0]]
    if sum(modes.values()) >= _HEARD:
        mode = _heaviest_first(modes)[0][0]
    return tonic, mode


def _instruments(weights: dict[str, float]) -> list[str]:
    """As many as are meant in all, the heaviest: a position between violin and viola asks for one of them."""
    count = round(sum(weights.values()))
    return [name for name, weight in _heaviest_first(weights)[:count] if weight >= 0.1]


def _silenced(weights: dict[str, float]) -> frozenset[str]:
    """Instruments and roles ("melody", "chords", "bass", "drums") that must not sound."""
    names: set[str] = set()
    for token, weight in weights.items():
        if weight >= _HEARD:
            name = token.removeprefix("no ")
            names |= {name, *FAMILIES.get(name, ())}
    return frozenset(names)


def _kit(wanted: list[str], genre: Genre, silenced: frozenset[str]) -> str:
    named = [i for i in wanted if INSTRUMENTS[i].roles == "d"]
    if "drums" in silenced:
        return ""
    if named:
        return named[0]
    unasked = "others" in silenced and wanted
    return genre.kit if genre.drums and genre.kit not in silenced and not unasked else ""
