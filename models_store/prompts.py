"""Structured prompts: the words of a prompt, sorted by what they say about the music."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

SLOTS = ("mood", "genre", "instruments", "tempo", "key", "setting")
"""The slots of a structured prompt, in the order in which they are said."""

MOST_INSTRUMENTS = 4
"""How many instruments a drawn or evolved prompt names at most. A person may name more."""

Lexicon = Mapping[str, tuple[str, ...]]
"""Slot -> the words or phrases (lower case) that can fill it. Words for a tempo stand in order, the slowest first."""

_SAID_WITH = {"mood": 0.8, "genre": 0.9, "tempo": 0.6, "key": 0.35, "setting": 0.4}
_INSTRUMENT_WEIGHTS = (3, 4, 3, 2)
_CONNECTIVES = frozenset({"music", "with", "and", "in", "a", "an", "the", "of", "some", "plus", "featuring"})
_NEGATIONS = frozenset({"no", "not", "without"})
_SOFTENERS = frozenset({"any", "a", "an", "the", "too", "very", "so", "much"})
_BREAK = re.compile(r"[,;:!?()\[\]{}\"“”…\x00-\x1f\x7f]|\.(?!\d)")
_BEATS = re.compile(r"(\d+(?:\.\d+)?)\s*bpm", re.IGNORECASE)
_MOST_READINGS = 8


@dataclass(frozen=True)
class StructuredPrompt:
    """One value per slot; empty when the prompt does not say. `rest`: words of no slot, kept as they came."""

    mood: str = ""
    genre: str = ""
    instruments: tuple[str, ...] = ()
    tempo: str = ""
    key: str = ""
    setting: str = ""
    rest: tuple[str, ...] = ()

    def text(self) -> str:
        """The prompt as a person would write it: `calm jazz with piano and flute, slow, in d minor, at night`."""
        head = " ".join(filter(None, (self.mood, self.genre, "music" if not self.genre else "")))
        if self.instruments:
            *most, last = self.instruments
            head += " with " + (", ".join(most) + " and " if most else "") + last
        parts = [head, self.tempo, f"in {self.key}" if self.key else "", self.setting, " ".join(self.rest)]
        return ", ".join(filter(None, parts))

    def with_slot(self, slot: str, value: str | tuple[str, ...]) -> StructuredPrompt:
        return replace(self, **{slot: value})  # type: ignore[arg-type]


def draw(lexicon: Lexicon, rng: random.Random) -> StructuredPrompt:
    """A prompt drawn at random: some slots stay empty, one to four instruments.

    Drawn prompts are in normal form: `parse(p.text(), lexicon) == p`.
    Raises ValueError for a lexicon without a word.
    """
    if not any(lexicon.get(slot) for slot in SLOTS):
        raise ValueError(f"draw: expected a lexicon with words for some of {', '.join(SLOTS)}, got none")
    said = {
        slot: rng.choice(lexicon[slot])
        for slot, probability in _SAID_WITH.items()
        if rng.random() < probability and lexicon.get(slot)
    }
    known = lexicon.get("instruments", ())
    count = min(rng.choices((1, 2, 3, 4), _INSTRUMENT_WEIGHTS)[0], len(known))
    drawn = StructuredPrompt(instruments=tuple(rng.sample(known, count)), **said)  # type: ignore[arg-type]
    return parse(drawn.text(), lexicon)


def parse(text: str, lexicon: Lexicon) -> StructuredPrompt:
    """Sort the words of `text` into slots: the longest known phrase first, in any case.

    A slot takes the first phrase that fits it, instruments take all; `92 bpm` is a tempo and goes before a word
    for one. What is denied (`no drums`, `without piano or flute`) is kept in `rest`, one phrase for each thing, as
    are the words of no slot. Connectives (`with`, `and`, `in`) are dropped.

    Two laws: `parse(parse(t).text()) == parse(t)`, and a prompt made of known words parses back to itself, unless
    neighbouring words make a longer known phrase (mood `deep`, genre `house`), which is then meant.
    """
    prompt = _read(text, lexicon)
    # Sorting moves words beside each other that were apart, and they may make a longer phrase: read until it holds.
    for _ in range(_MOST_READINGS):
        again = _read(prompt.text(), lexicon)
        if again == prompt:
            break
        prompt = again
    return prompt


@dataclass
class _Reading:
    """What has been read of a text so far."""

    said: dict[str, str] = field(default_factory=dict)
    instruments: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)

    def take_beats(self, beats: str) -> None:
        tempo = self.said.get("tempo", "")
        if _BEATS.fullmatch(tempo):
            self.rest.append(beats)
            return
        if tempo:
            self.rest.append(tempo)
        self.said["tempo"] = beats

    def take_phrase(self, meanings: Mapping[str, str], words: str) -> None:
        """meanings: slot -> how the lexicon spells the phrase. words: how the text did."""
        free = next((slot for slot in meanings if slot not in self.said and slot != "instruments"), None)
        if free:
            self.said[free] = meanings[free]
        elif "instruments" in meanings:
            self.instruments.append(meanings["instruments"])
        elif not any(self.said[slot] == phrase for slot, phrase in meanings.items()):
            self.rest.append(words)

    def prompt(self) -> StructuredPrompt:
        return StructuredPrompt(
            instruments=tuple(dict.fromkeys(self.instruments)),
            rest=tuple(dict.fromkeys(self.rest)),
            **self.said,
        )


def _read(text: str, lexicon: Lexicon) -> StructuredPrompt:
    phrases, longest = _phrases(tuple((slot, tuple(lexicon.get(slot, ()))) for slot in SLOTS))

    def length_at(position: int) -> int:
        """How many words from `position` make the longest known phrase; 0 for an unknown word."""
        reach = range(min(longest, len(words) - position), 0, -1)
        return next((n for n in reach if _normal(words[position : position + n]) in phrases), 0)

    reading = _Reading()
    for part in _BREAK.split(text):
        words = part.split()
        at = 0
        while at < len(words):
            if words[at].lower() in _NEGATIONS and at + 1 < len(words):
                at = _read_denied(words, at, length_at, reading)
            elif match := _BEATS.fullmatch(" ".join(words[at : at + 2])) or _BEATS.fullmatch(words[at]):
                reading.take_beats(f"{match[1]} bpm")
                at += len(match[0].split())
            elif length := length_at(at):
                taken = words[at : at + length]
                reading.take_phrase(phrases[_normal(taken)], " ".join(taken))
                at += length
            else:
                if words[at].lower() not in _CONNECTIVES:
                    reading.rest.append(words[at])
                at += 1
    return reading.prompt()


def _read_denied(words: list[str], at: int, length_at: Callable[[int], int], reading: _Reading) -> int:
    """Read `no THING or THING`; returns the position of the first word after it."""
    negation, start = words[at], at + 1
    while True:
        end = start
        while words[end].lower() in _SOFTENERS and end + 1 < len(words):
            end += 1
        end += length_at(end) or 1
        reading.rest.append(" ".join([negation, *words[start:end]]))
        if end + 1 >= len(words) or words[end].lower() not in ("or", "nor"):
            return end
        start = end + 1


@lru_cache(maxsize=8)
def _phrases(entries: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[dict[str, dict[str, str]], int]:
    """Normal form of each phrase -> slot -> its spelling there; and the number of words of the longest."""
    phrases: dict[str, dict[str, str]] = {}
    for slot, spellings in entries:
        for spelling in spellings:
            phrases.setdefault(_normal([spelling]), {})[slot] = spelling
    return phrases, max((len(phrase.split()) for phrase in phrases), default=0)


def _normal(words: Sequence[str]) -> str:
    """Lower case, one blank between words; hyphens count as blanks: `Hip-Hop` is `hip hop`."""
    return " ".join(" ".join(words).lower().replace("-", " ").split())
