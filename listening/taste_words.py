"""Beliefs in words. Plain Python: what a listener reads about their own taste, and how sure it sounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MUCH, SOME = 0.5, 0.1
"""Leanings from which somebody likes something very much, and likes it at all, in typical spreads of a likeness."""
SURE, FAIRLY_SURE, GUESSED = 0.95, 0.85, 0.75
"""Probabilities that a leaning's sign is right from which it is called sure, fairly sure, and a guess worth a word."""
MOST_ADJECTIVES, MOST_INSTRUMENTS, MOST_GENRES, MOST_UNWANTED = 3, 2, 2, 3

SLOTS = {
    "genre": "Genres",
    "mood": "Moods",
    "instruments": "Instruments",
    "tempo": "Tempo",
    "key": "Keys",
    "setting": "Places and hours",
    "sound": "Sound",
}
"""Slot -> its heading, in the order of the page."""


def sentence(name: str, slot: str, lean: float) -> str:
    """A belief as a sentence: `You like slow music very much.`"""
    what = phrase(name, slot)
    if lean >= MUCH:
        return f"You like {what} very much."
    if lean >= SOME:
        return f"You like {what}."
    if lean > -SOME:
        return f"You do not mind whether it is {what}."
    if lean > -MUCH:
        return f"You would rather not hear {what}."
    return f"You do not want {what}."


def confidence(sure: float) -> str:
    """How sure that is, in words."""
    if sure >= SURE:
        return "sure"
    return "fairly sure" if sure >= FAIRLY_SURE else "just a guess"


def leaning(lean: float, sure: float) -> str:
    """What is believed of a concept, beside its slider: `likes it, fairly sure`."""
    if abs(lean) < SOME or sure < GUESSED:
        return "nothing known yet"
    if lean > 0:
        said = "likes it very much" if lean >= MUCH else "likes it"
    else:
        said = "does not want it" if lean <= -MUCH else "rather not"
    return f"{said}, {confidence(sure)}"


def phrase(name: str, slot: str) -> str:
    """A concept as the object of a sentence: `slow music`, `music in a minor key`, `piano`."""
    if slot == "key":
        return f"music in {name}"
    if slot == "setting":
        return f"music {name}"
    return f"{name} music" if slot in ("mood", "tempo", "sound") else name


def headline(beliefs: Sequence[Mapping[str, Any]]) -> str:
    """What is believed, in one breath: `You like slow, calm jazz with piano.` Empty when there is nothing to say.

    beliefs: {"name", "slot", "lean", "sure"} each, the strongest first. What is only guessed is said only when
    nothing better is known, and then as a guess.
    """
    told = [one for one in beliefs if abs(one["lean"]) >= SOME]
    sure = [one for one in told if one["sure"] >= FAIRLY_SURE]
    kept = sure or told
    parts = [_liked([one for one in kept if one["lean"] > 0]), _unwanted([one for one in kept if one["lean"] < 0])]
    said = " ".join(part for part in parts if part)
    return f"Just a guess so far: {said[0].lower()}{said[1:]}" if said and not sure else said


def _liked(beliefs: Sequence[Mapping[str, Any]]) -> str:
    if not beliefs:
        return ""
    names: dict[str, list[str]] = {}
    for one in beliefs:
        names.setdefault(one["slot"], []).append(one["name"])
    adjectives = [*names.get("tempo", ())[:1], *names.get("sound", ())[:1], *names.get("mood", ())][:MOST_ADJECTIVES]
    subject = _joined(names.get("genre", ["music"])[:MOST_GENRES], "and")
    said = f"You like {' '.join([', '.join(adjectives), subject]).strip()}"
    if "instruments" in names:
        said += f" with {_joined(names['instruments'][:MOST_INSTRUMENTS], 'and')}"
    if "key" in names:
        said += f", in {names['key'][0]}"
    return f"{said}, {names['setting'][0]}." if "setting" in names else f"{said}."


def _unwanted(beliefs: Sequence[Mapping[str, Any]]) -> str:
    if not beliefs:
        return ""
    whats = [phrase(one["name"], one["slot"]) for one in beliefs[:MOST_UNWANTED]]
    return f"You would rather not hear {_joined(whats, 'or')}."


def _joined(names: Sequence[str], word: str) -> str:
    *most, last = names
    return f"{', '.join(most)} {word} {last}" if most else last
