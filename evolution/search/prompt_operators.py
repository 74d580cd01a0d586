"""Crossover and mutation on the words of structured prompts."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models_store.prompts import MOST_INSTRUMENTS, Lexicon, StructuredPrompt

Apply = Callable[[Sequence[StructuredPrompt], Lexicon, random.Random], StructuredPrompt]

_WORD_SLOTS = ("mood", "genre", "key", "setting")
_BEATS = re.compile(r"(\d+(?:\.\d+)?) bpm")
_SLOWEST, _FASTEST = 40.0, 220.0
_FORGET = 0.15


@dataclass(frozen=True)
class PromptOperator:
    """Makes one prompt of `inputs` prompts; applied with `probability`, else its first input is passed on."""

    name: str
    inputs: int
    probability: float
    apply: Apply


def crossover(parents: Sequence[StructuredPrompt], _lexicon: Lexicon, rng: random.Random) -> StructuredPrompt:
    """Slot by slot from either parent; instruments of both stay, those of one by the toss of a coin."""
    first, second = parents
    child = StructuredPrompt(
        **{slot: getattr(rng.choice((first, second)), slot) for slot in (*_WORD_SLOTS, "tempo", "rest")}
    )
    union = list(dict.fromkeys(first.instruments + second.instruments))
    both = set(first.instruments) & set(second.instruments)
    instruments = [name for name in union if name in both or rng.random() < 0.5] or union[:1]
    rng.shuffle(instruments)
    return child.with_slot("instruments", tuple(instruments[:MOST_INSTRUMENTS]))


def change_word(parents: Sequence[StructuredPrompt], lexicon: Lexicon, rng: random.Random) -> StructuredPrompt:
    """Another word in one slot; sometimes none."""
    prompt = parents[0]
    slots = [slot for slot in _WORD_SLOTS if lexicon.get(slot)]
    if not slots:
        return prompt
    slot = rng.choice(slots)
    present = getattr(prompt, slot)
    if present and rng.random() < _FORGET:
        return prompt.with_slot(slot, "")
    others = [word for word in lexicon[slot] if word != present]
    return prompt.with_slot(slot, rng.choice(others)) if others else prompt


def change_instruments(parents: Sequence[StructuredPrompt], lexicon: Lexicon, rng: random.Random) -> StructuredPrompt:
    """One instrument more, one less, or another in the place of one."""
    prompt = parents[0]
    playing = list(prompt.instruments)
    others = [name for name in lexicon.get("instruments", ()) if name not in playing]
    possible = []
    if others and len(playing) < MOST_INSTRUMENTS:
        possible.append("add")
    if len(playing) > 1:
        possible.append("remove")
    if others and playing:
        possible.append("replace")
    if not possible:
        return prompt
    chosen = rng.choice(possible)
    if chosen != "add":
        del playing[rng.randrange(len(playing))]
    if chosen != "remove":
        playing.append(rng.choice(others))
    return prompt.with_slot("instruments", tuple(playing))


def shift_tempo(parents: Sequence[StructuredPrompt], lexicon: Lexicon, rng: random.Random) -> StructuredPrompt:
    """The next slower or faster tempo; any when the prompt says none or an unknown one."""
    prompt = parents[0]
    if beats := _BEATS.fullmatch(prompt.tempo):
        shifted = float(beats[1]) * rng.choice((1 / 1.25, 1 / 1.12, 1.12, 1.25))
        return prompt.with_slot("tempo", f"{min(max(shifted, _SLOWEST), _FASTEST):.0f} bpm")
    tempos = [tempo for tempo in lexicon.get("tempo", ()) if not _BEATS.fullmatch(tempo)]
    if prompt.tempo in tempos:
        position = tempos.index(prompt.tempo)
        near = [tempos[other] for other in (position - 1, position + 1) if 0 <= other < len(tempos)]
    else:
        near = tempos
    return prompt.with_slot("tempo", rng.choice(near)) if near else prompt


OPERATORS = (
    PromptOperator("crossover", 2, 0.9, crossover),
    PromptOperator("change word", 1, 0.25, change_word),
    PromptOperator("change instruments", 1, 0.25, change_instruments),
    PromptOperator("shift tempo", 1, 0.1, shift_tempo),
)
"""The chain of the prompt GA, in order."""
