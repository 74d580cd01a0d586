"""The instruments a prompt can name: General MIDI programs and drum kits, and what each is good for."""

from __future__ import annotations

from typing import NamedTuple


class Instrument(NamedTuple):
    """program: General MIDI, from 0. low, high: its comfortable MIDI keys.

    roles: what it is good for, best first: l(ead), c(hords), p(ad), b(ass), a(rpeggio), d(rum kit).
    brightness, acoustic: in [-1, 1]. vibrato: a player would shake a held note.
    """

    program: int
    low: int
    high: int
    roles: str
    brightness: float
    acoustic: float
    vibrato: bool = False


INSTRUMENTS: dict[str, Instrument] = {
    "piano": Instrument(0, 40, 90, "cla", 0.1, 1.0),
    "bright piano": Instrument(1, 40, 92, "cla", 0.5, 0.8),
    "honky tonk piano": Instrument(3, 40, 88, "cla", 0.4, 0.9),
    "electric piano": Instrument(4, 40, 86, "cla", -0.2, 0.2),
    "harpsichord": Instrument(6, 41, 84, "cal", 0.7, 1.0),
    "clavinet": Instrument(7, 40, 80, "cal", 0.5, 0.1),
    "celesta": Instrument(8, 60, 96, "la", 0.6, 0.8),
    "glockenspiel": Instrument(9, 67, 96, "la", 0.9, 0.9),
    "music box": Instrument(10, 60, 94, "la", 0.7, 0.8),
    "vibraphone": Instrument(11, 53, 88, "lca", 0.2, 0.8),
    "marimba": Instrument(12, 48, 88, "lac", 0.0, 1.0),
    "xylophone": Instrument(13, 60, 94, "la", 0.7, 0.9),
    "tubular bells": Instrument(14, 58, 80, "la", 0.5, 0.8),
    "dulcimer": Instrument(15, 48, 84, "cal", 0.5, 1.0),
    "organ": Instrument(16, 40, 84, "cpl", 0.1, 0.0),
    "rock organ": Instrument(18, 40, 84, "cpl", 0.4, -0.3),
    "church organ": Instrument(19, 36, 84, "pcl", 0.2, 0.7),
    "accordion": Instrument(21, 48, 86, "lcp", 0.4, 0.9),
    "harmonica": Instrument(22, 58, 86, "lp", 0.5, 0.9, True),
    "bandoneon": Instrument(23, 48, 84, "lcp", 0.2, 0.9),
    "acoustic guitar": Instrument(24, 40, 80, "cal", -0.1, 1.0),
    "steel guitar": Instrument(25, 40, 82, "cal", 0.3, 0.9),
    "jazz guitar": Instrument(26, 42, 80, "cla", -0.4, 0.4),
    "electric guitar": Instrument(27, 40, 84, "cla", 0.2, -0.1),
    "muted guitar": Instrument(28, 40, 76, "ca", 0.1, -0.1),
    "overdriven guitar": Instrument(29, 40, 84, "cl", 0.6, -0.6),
    "distorted guitar": Instrument(30, 38, 84, "cl", 0.8, -0.7),
    "double bass": Instrument(32, 28, 55, "b", -0.7, 1.0),
    "electric bass": Instrument(33, 28, 55, "b", -0.5, -0.1),
    "fretless bass": Instrument(35, 28, 57, "b", -0.5, 0.0),
    "slap bass": Instrument(36, 28, 57, "b", 0.1, -0.1),
    "synth bass": Instrument(38, 26, 52, "b", -0.1, -0.9),
    "violin": Instrument(40, 57, 93, "lp", 0.5, 1.0, True),
    "viola": Instrument(41, 50, 84, "lp", 0.1, 1.0, True),
    "cello": Instrument(42, 38, 74, "lpb", -0.3, 1.0, True),
    "tremolo strings": Instrument(44, 45, 84, "p", 0.2, 0.9),
    "pizzicato strings": Instrument(45, 45, 86, "acl", 0.1, 1.0),
    "harp": Instrument(46, 40, 92, "acl", 0.0, 1.0),
    "timpani": Instrument(47, 38, 55, "b", -0.6, 1.0),
    "strings": Instrument(48, 43, 86, "pl", 0.1, 0.9),
    "slow strings": Instrument(49, 43, 84, "p", -0.1, 0.9),
    "synth strings": Instrument(50, 43, 86, "p", 0.2, -0.5),
    "choir": Instrument(52, 48, 79, "pl", -0.1, 0.8),
    "voice": Instrument(53, 50, 80, "lp", -0.2, 0.7, True),
    "trumpet": Instrument(56, 55, 84, "l", 0.6, 0.9, True),
    "muted trumpet": Instrument(59, 55, 82, "l", 0.5, 0.9, True),
    "trombone": Instrument(57, 43, 72, "lp", 0.1, 0.9, True),
    "tuba": Instrument(58, 30, 55, "b", -0.6, 1.0),
    "french horn": Instrument(60, 45, 76, "lp", -0.2, 1.0),
    "brass": Instrument(61, 48, 82, "clp", 0.6, 0.7),
    "synth brass": Instrument(62, 45, 84, "clp", 0.5, -0.7),
    "soprano saxophone": Instrument(64, 56, 86, "l", 0.5, 0.9, True),
    "alto saxophone": Instrument(65, 50, 82, "l", 0.4, 0.9, True),
    "saxophone": Instrument(66, 46, 78, "l", 0.3, 0.9, True),
    "baritone saxophone": Instrument(67, 38, 66, "lb", 0.0, 0.9, True),
    "oboe": Instrument(68, 58, 88, "l", 0.4, 1.0, True),
    "english horn": Instrument(69, 53, 81, "l", 0.1, 1.0, True),
    "bassoon": Instrument(70, 36, 68, "lb", -0.3, 1.0),
    "clarinet": Instrument(71, 50, 86, "l", 0.0, 1.0),
    "piccolo": Instrument(72, 74, 100, "l", 0.9, 1.0),
    "flute": Instrument(73, 60, 92, "l", 0.2, 1.0, True),
    "recorder": Instrument(74, 60, 88, "l", 0.3, 1.0),
    "pan flute": Instrument(75, 58, 86, "l", 0.1, 1.0, True),
    "shakuhachi": Instrument(77, 55, 84, "l", 0.1, 1.0, True),
    "ocarina": Instrument(79, 60, 86, "l", 0.0, 1.0),
    "square lead": Instrument(80, 50, 88, "la", 0.6, -1.0),
    "saw lead": Instrument(81, 50, 88, "la", 0.7, -1.0, True),
    "poly synth": Instrument(90, 45, 84, "cpa", 0.4, -1.0),
    "warm pad": Instrument(89, 43, 82, "p", -0.4, -0.8),
    "space pad": Instrument(91, 45, 82, "p", -0.1, -0.8),
    "sweep pad": Instrument(95, 43, 82, "p", 0.2, -0.9),
    "crystal synth": Instrument(98, 52, 90, "al", 0.7, -0.8),
    "sitar": Instrument(104, 45, 80, "la", 0.6, 0.9),
    "banjo": Instrument(105, 48, 84, "acl", 0.7, 1.0),
    "shamisen": Instrument(106, 50, 82, "la", 0.6, 1.0),
    "koto": Instrument(107, 50, 84, "la", 0.4, 1.0),
    "kalimba": Instrument(108, 55, 88, "al", 0.1, 1.0),
    "bagpipes": Instrument(109, 58, 80, "lp", 0.8, 0.9),
    "fiddle": Instrument(110, 55, 90, "lc", 0.5, 1.0, True),
    "steel drums": Instrument(114, 55, 86, "la", 0.5, 0.8),
    "drums": Instrument(0, 0, 127, "d", 0.2, 0.6),
    "room drums": Instrument(8, 0, 127, "d", 0.1, 0.6),
    "power drums": Instrument(16, 0, 127, "d", 0.4, 0.2),
    "electronic drums": Instrument(24, 0, 127, "d", 0.4, -0.7),
    "drum machine": Instrument(25, 0, 127, "d", 0.3, -1.0),
    "jazz drums": Instrument(32, 0, 127, "d", 0.1, 0.9),
    "brushes": Instrument(40, 0, 127, "d", -0.2, 1.0),
    "orchestral percussion": Instrument(48, 0, 127, "d", -0.2, 0.9),
}

FAMILIES: dict[str, tuple[str, ...]] = {
    "piano": ("piano", "bright piano", "honky tonk piano", "electric piano"),
    "guitar": tuple(n for n in INSTRUMENTS if n.endswith("guitar")),
    "bass": tuple(n for n in INSTRUMENTS if n.endswith("bass")),
    "saxophone": tuple(n for n in INSTRUMENTS if n.endswith("saxophone")),
    "strings": ("strings", "slow strings", "synth strings", "tremolo strings", "pizzicato strings", "violin", "viola"),
    "organ": ("organ", "rock organ", "church organ"),
    "brass": ("brass", "synth brass", "trumpet", "muted trumpet", "trombone", "french horn", "tuba"),
    "drums": tuple(n for n, i in INSTRUMENTS.items() if i.roles == "d"),
    "synth": ("square lead", "saw lead", "poly synth", "crystal synth", "synth bass", "synth brass", "synth strings"),
    "pad": ("warm pad", "space pad", "sweep pad"),
    "flute": ("flute", "pan flute", "piccolo"),
    "choir": ("choir", "voice"),
}
"""What "no guitar" or "without strings" silences; any other instrument's name stands for itself alone."""
