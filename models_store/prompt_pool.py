"""A pool of prompts: what a lexicon can say, in sentences of many shapes."""

from __future__ import annotations

import random
import re

from models_store import prompts
from models_store.prompts import Lexicon, StructuredPrompt

_SHAPES = (
    "{music}| with {instruments}|, {tempo}|, in {key}|, {setting}",
    "{music} {setting}|, featuring {instruments}|, {tempo}|, in {key}",
    "{music}| featuring {instruments}|; {tempo}|, in {key}|, {setting}",
    "{tempo} {music}| with {instruments}|, {setting}|, in {key}",
    "{tempo} {music} in {key}|, {setting}|, with {instruments}",
    "{tempo}: {music} {setting}| with {instruments}|, in {key}",
    "{setting}: {music}| with {instruments}|, {tempo}|, in {key}",
    "{setting}, {instruments}| in {tempo} {music}|, in {key}",
    "{setting}: {instruments}|, {tempo}|, and {music}| in {key}",
    "{instruments}|, {tempo}|: {music}| in {key}|, {setting}",
    "{instruments}| in {music}|, {tempo}|, {setting}|, in {key}",
    "{instruments} {setting}|: {tempo} {music}| in {key}",
    "{music}|. {instruments}|, {tempo}|, in {key}|. {setting}",
    "{music} {setting}|. {tempo}|, in {key}|, with {instruments}",
    "{music} in {key}|, {tempo}|. {instruments}|, {setting}",
    "some {music}| {setting}|, with {instruments}|, {tempo}|, in {key}",
    "some {tempo} {music}| in {key}|, featuring {instruments}|, {setting}",
    "in {key}|, {tempo}|: {music}| with {instruments}|, {setting}",
    "{music}| ({tempo}|, in {key})|, with {instruments}|, {setting}",
)
"""Pieces of sentences between bars; a piece is left out when the prompt does not say one of its words. They hold
nothing but the lexicon's phrases and words that say nothing about the sound, so that a prompt reads back as drawn."""

_MOST_TRIALS = 30
_SLOT = re.compile(r"\{(\w+)\}")
_SENTENCE = re.compile(r"(?:^|\. )[a-z]")


def draw(count: int, *, lexicon: Lexicon, seed: int) -> tuple[str, ...]:
    """`count` different prompts, the same for the same lexicon and seed.

    Each parses back to the words that were drawn for it (`prompts.parse`).
    Raises ValueError when the lexicon has too little to say.
    """
    rng = random.Random(f"prompt pool {seed}")
    pool: dict[str, None] = {}
    for _ in range(_MOST_TRIALS * count):
        if len(pool) == count:
            break
        pool[sentence(prompts.draw(lexicon, rng), lexicon=lexicon, rng=rng)] = None
    if len(pool) < count:
        raise ValueError(f"prompt pool: expected a lexicon with {count} prompts in it, got {len(pool)}")
    return tuple(pool)


def sentence(prompt: StructuredPrompt, *, lexicon: Lexicon, rng: random.Random) -> str:
    """The prompt in a shape drawn at random; in its plainest one where no other reads back as the same words."""
    for shape in rng.sample(_SHAPES, len(_SHAPES)):
        text = _in_shape(prompt, shape)
        if prompts.parse(text, lexicon) == prompt:
            return text
    return prompt.text()


def _in_shape(prompt: StructuredPrompt, shape: str) -> str:
    """The sentence, beginning with a capital letter; "" when the shape leaves out something that the prompt says."""
    *most, last = prompt.instruments or ("",)
    letter, _, rest = prompt.key.partition(" ")
    said = {
        "music": f"{prompt.mood} {prompt.genre or 'music'}".strip(),
        "instruments": (", ".join(most) + " and " if most else "") + last,
        "tempo": prompt.tempo,
        "key": f"{letter.upper()} {rest}" if len(letter) == 1 else prompt.key,
        "setting": prompt.setting,
    }
    pieces = [piece for piece in shape.split("|") if all(said[name] for name in _SLOT.findall(piece))]
    if said["music"] == "music" and "in {music}" in shape:
        return ""  # "piano in music" says less than it seems to
    missing = [name for name, words in said.items() if words and f"{{{name}}}" not in "".join(pieces)]
    if missing:
        return ""
    text = "".join(pieces).format(**said).lstrip(" ,;:.")
    return _SENTENCE.sub(lambda match: match[0].upper(), text)
