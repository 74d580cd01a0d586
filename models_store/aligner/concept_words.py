"""Which words of a prompt are one concept to a listener. Plain Python.

Words of moods and settings are joined where the embedded generator does nearly the same for them (their `Effect`s),
instruments where they are of one family to the ear. Words that are not named here stand for themselves.
"""

from __future__ import annotations

import re

from models_store.prompts import StructuredPrompt

SLOTS = ("genre", "mood", "instruments", "tempo", "key", "setting", "sound")
"""What a concept can be about: the slots of a prompt, and what is heard whatever the prompt says."""

MOODS = {
    "happy": ("happy", "joyful", "cheerful"),
    "playful": ("playful", "quirky"),
    "heroic": ("heroic", "triumphant"),
    "aggressive": ("aggressive", "angry"),
    "calm": ("calm", "peaceful", "gentle", "relaxed", "quiet"),
    "sad": ("sad", "melancholic", "lonely", "gloomy"),
    "romantic": ("romantic", "nostalgic"),
    "dreamy": ("dreamy", "ethereal"),
}

SETTINGS = {
    "in summer": ("in summer", "in spring"),
    "in space": ("in space", "in a dream", "underwater"),
    "in the open": ("in a forest", "on a mountain", "by the sea"),
    "for a party": ("at a party", "at a festival", "in a club"),
    "for moving": ("for dancing", "for running"),
    "in the city": ("in the city", "on the road", "on a train"),
    "at night": ("at night", "in the rain"),
    "at dawn or sunset": ("at dawn", "at sunset"),
    "in a big hall": ("in a cathedral", "in a concert hall"),
}

INSTRUMENTS = {
    "piano": ("piano", "bright piano", "honky tonk piano"),
    "electric piano": ("electric piano", "clavinet"),
    "acoustic guitar": ("acoustic guitar", "steel guitar"),
    "electric guitar": ("electric guitar", "jazz guitar", "muted guitar"),
    "distorted guitar": ("distorted guitar", "overdriven guitar"),
    "organ": ("organ", "rock organ", "church organ"),
    "accordion": ("accordion", "bandoneon", "harmonica"),
    "bass": ("double bass", "electric bass", "fretless bass", "slap bass"),
    "strings": ("strings", "slow strings", "tremolo strings", "synth strings", "pizzicato strings"),
    "violin": ("violin", "viola", "fiddle"),
    "brass": ("brass", "synth brass", "trombone", "french horn", "tuba"),
    "trumpet": ("trumpet", "muted trumpet"),
    "saxophone": ("saxophone", "soprano saxophone", "alto saxophone", "baritone saxophone"),
    "flute": ("flute", "piccolo", "recorder", "pan flute", "shakuhachi", "ocarina"),
    "woodwind": ("oboe", "english horn", "bassoon", "clarinet"),
    "bells": ("celesta", "glockenspiel", "music box", "tubular bells"),
    "marimba": ("marimba", "xylophone", "vibraphone", "kalimba", "steel drums"),
    "synth": ("square lead", "saw lead", "poly synth", "crystal synth"),
    "synth pads": ("warm pad", "space pad", "sweep pad"),
    "plucked strings": ("harp", "harpsichord", "dulcimer", "koto", "shamisen", "sitar", "banjo"),
    "voices": ("choir", "voice"),
    "drums": ("drums", "room drums", "power drums", "jazz drums", "brushes"),
    "electronic drums": ("electronic drums", "drum machine"),
    "orchestral percussion": ("orchestral percussion", "timpani"),
}

HEARD = {
    "brightness": ("bright", "dark"),
    "bass": ("bassy", "light"),
    "liveliness": ("lively", "smooth"),
    "density": ("dense", "sparse"),
}
"""What is heard in a sound: names for much and for little of it. A mood's word of the same name gives way to it."""

TEMPOS = {
    "slow": ("very slow", "slow", "laid back"),
    "medium tempo": ("unhurried", "medium tempo"),
    "fast": ("upbeat", "fast", "very fast", "frantic"),
}
SLOW, FAST = 85.0, 120.0
"""Beats per minute below which a tempo is slow, and from which it is fast, as the words above are."""

KEYS = {"major": "a major key", "minor": "a minor key"}

OPPOSITES = {
    name: other
    for one, two in (*HEARD.values(), ("slow", "fast"), tuple(KEYS.values()))
    for name, other in ((one, two), (two, one))
}
"""What says nothing new where the other is believed the other way round."""

_JOINED = {"mood": MOODS, "setting": SETTINGS, "instruments": INSTRUMENTS, "tempo": TEMPOS}
_BEATS = re.compile(r"(\d+(?:\.\d+)?) bpm")


def concept(slot: str, word: str) -> str | None:
    """The concept that a word of a prompt's slot belongs to; None: it is none of a listener's."""
    if slot == "key":
        return KEYS.get(word)
    if slot == "mood" and any(word in names for names in HEARD.values()):
        return None
    beats = _BEATS.fullmatch(word) if slot == "tempo" else None
    if beats:
        return _tempo(float(beats[1]))
    for name, words in _JOINED.get(slot, {}).items():
        if word in words:
            return name
    return word


def said(prompt: StructuredPrompt) -> frozenset[str]:
    """The concepts that a prompt names."""
    words = [("genre", prompt.genre), ("mood", prompt.mood), ("tempo", prompt.tempo), ("setting", prompt.setting)]
    words += [("instruments", word) for word in prompt.instruments]
    words.append(("key", prompt.key.split()[-1] if prompt.key else ""))
    return frozenset(name for slot, word in words if word and (name := concept(slot, word)) is not None)


def _tempo(beats: float) -> str:
    if beats < SLOW:
        return "slow"
    return "fast" if beats >= FAST else "medium tempo"
