"""Drum patterns: families of two variants each, fills and crashes."""

from __future__ import annotations

import random

from models_store.generators.soundfont.score import Note, hits

KEYS = {
    "kick": 36, "snare": 38, "rim": 37, "clap": 39, "hat": 42, "pedal": 44, "open": 46, "crash": 49, "ride": 51,
    "bell": 53, "low tom": 43, "tom": 45, "high tom": 48, "tamb": 54, "cowbell": 56, "bongo": 60, "low bongo": 61,
    "mute conga": 62, "conga": 63, "low conga": 64, "timbale": 65, "agogo": 67, "low agogo": 68, "cabasa": 69,
    "shaker": 70, "clave": 75, "block": 76, "surdo": 41, "triangle": 81,
}  # fmt: skip
"""General MIDI's percussion keys."""

FAMILIES: dict[str, tuple[dict[str, str], ...]] = {
    "swing": (
        {"ride": "X...x.x.X...x.x.", "pedal": "....x.......x...", "kick": "o.......o.......",
         "snare": "......o........."},
        {"ride": "X...x.o.X.o.x.x.", "pedal": "....x.......x...", "snare": "..o.......o...o.",
         "kick": "o.....o........."},
    ),
    "bigband": (
        {"ride": "X...X.x.X...X.x.", "pedal": "....x.......x...", "kick": "x...x...x...x...",
         "snare": "....o.......X..."},
        {"hat": "X...x.x.X...x.x.", "kick": "x...x...x...x...", "snare": "....X.......X.o."},
    ),
    "shuffle": (
        {"ride": "X...x.x.X...x.x.", "kick": "X.......X.....x.", "snare": "....X.......X..."},
        {"hat": "x.x.x.x.x.x.x.x.", "kick": "X.....x.X.......", "snare": "....X.......X..."},
    ),
    "bossa": (
        {"rim": "x..x..x...x..x..", "kick": "X..xx..xX..xx..x", "hat": "xoxoxoxoxoxoxoxo"},
        {"rim": "..x...x.x..x..x.", "kick": "X..xx..xX..xx..x", "shaker": "xoxoxoxoxoxoxoxo"},
    ),
    "rock": (
        {"hat": "X.x.X.x.X.x.X.x.", "kick": "X.....x.X.x.....", "snare": "....X.......X..."},
        {"ride": "X.x.X.x.X.x.X.x.", "kick": "X.x.....X.x...x.", "snare": "....X.......X..."},
    ),
    "metal": (
        {"ride": "X...X...X...X...", "kick": "XxxxXxxxXxxxXxxx", "snare": "....X.......X..."},
        {"crash": "X.......X.......", "hat": "..x...x...x...x.", "kick": "X.xxX.xxX.xxX.xx",
         "snare": "....X.......X..."},
    ),
    "punk": (
        {"hat": "X.X.X.X.X.X.X.X.", "kick": "X...X...X...X...", "snare": "..X...X...X...X."},
        {"ride": "X.X.X.X.X.X.X.X.", "kick": "X.......X.x.....", "snare": "....X.......X..."},
    ),
    "pop": (
        {"hat": "x.x.x.x.x.x.x.x.", "kick": "X.....x.x.......", "snare": "....X.......X...",
         "clap": "....o.......o..."},
        {"hat": "xoxoxoxoxoxoxoxo", "kick": "X..x....X..x....", "snare": "....X.......X...",
         "tamb": "....x.......x..."},
    ),
    "funk": (
        {"hat": "XoxoXoxoXoxoXoxo", "kick": "X.x...x...x..x..", "snare": "....X..o.o..X..o"},
        {"hat": "xoxxxoxoxoxxxo..", "open": "..............x.", "kick": "X..x..x.x.x.....",
         "snare": ".o..X..o.o.oX.o."},
    ),
    "disco": (
        {"hat": "xx.xxx.xxx.xxx.x", "open": "..X...X...X...X.", "kick": "X...X...X...X...",
         "snare": "....X.......X..."},
        {"hat": "x...x...x...x...", "open": "..X...X...X...X.", "kick": "X...X...X...X...", "snare": "....X.......X.x.",
         "tamb": "xoxoxoxoxoxoxoxo"},
    ),
    "house": (
        {"kick": "X...X...X...X...", "open": "..X...X...X...X.", "clap": "....X.......X...",
         "shaker": "xoxoxoxoxoxoxoxo"},
        {"kick": "X...X...X...X...", "open": "..X...X...X...X.", "clap": "....X..o....X...", "rim": "...x..x....x..x."},
    ),
    "techno": (
        {"kick": "X...X...X...X...", "hat": "oxxooxxooxxooxxo", "open": "..X...X...X...X.", "rim": "...x......x..x.."},
        {"kick": "X...X...X...X...", "hat": "xoxoxoxoxoxoxoxo", "clap": "....x.......x...",
         "low tom": "......x..x....x."},
    ),
    "trance": (
        {"kick": "X...X...X...X...", "open": "..X...X...X...X.", "clap": "....X.......X...", "hat": "xoxoxoxoxoxoxoxo"},
        {"kick": "X...X...X...X...", "open": "..X...X...X...X.", "snare": "....X.......X...",
         "ride": "x.x.x.x.x.x.x.x."},
    ),
    "breakbeat": (
        {"kick": "X.........X.....", "snare": "....X..o.o..X...", "hat": "x.x.x.x.x.x.x.x.",
         "ride": "x...x...x...x..."},
        {"kick": "X.X.......X.....", "snare": "....X..o.o..X..o", "hat": "xoxoxoxoxoxoxoxo"},
    ),
    "halftime": (
        {"kick": "X.....x.......x.", "snare": "........X.......", "hat": "x.x.x.x.x.xxx.x.",
         "clap": "........X......."},
        {"kick": "X..x......x.....", "snare": "........X.......", "hat": "x...x...x...xxxx",
         "crash": "x..............."},
    ),
    "boombap": (
        {"kick": "X..x......xx....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
        {"kick": "X.x....x..x.....", "snare": "....X.......X..o", "hat": "x.x.x.xxx.x.x.x."},
    ),
    "trap": (
        {"kick": "X.....x...x.....", "clap": "........X.......", "hat": "x.x.x.xxx.x.xxxx", "open": "......x........."},
        {"kick": "X..x......x..x..", "clap": "........X.......", "hat": "xxx.x.x.xxxxx.x.", "rim": "...........x...."},
    ),
    "lofi": (
        {"kick": "X......x..x.....", "snare": "....x.......x...", "hat": "x.o.x.o.x.o.x.o."},
        {"kick": "X..x......x.....", "rim": "....x.......x...", "hat": "x.o.x.oox.o.x.o."},
    ),
    "onedrop": (
        {"kick": "........X.......", "rim": "........X.......", "hat": "x.x.x.x.x.x.x.x."},
        {"kick": "X.......X.......", "snare": "........X.......", "hat": "x.xox.x.x.xox.x.",
         "cowbell": "..........o....."},
    ),
    "ska": (
        {"kick": "X.......X.......", "snare": "....X.......X...", "hat": "..X...X...X...X."},
        {"kick": "X.....x.X.......", "snare": "....X.......X...", "open": "..X...X...X...X."},
    ),
    "train": (
        {"snare": "oxooxoXooxooxoXo", "kick": "X.......X......."},
        {"kick": "X.......X.......", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
    ),
    "bodhran": (
        {"kick": "X..x..x.X..x..x.", "tamb": "....x.......x...", "surdo": "X.......x......."},
        {"kick": "X.xxX.xxX.xxX.xx", "surdo": "X.......X......."},
    ),
    "soul": (
        {"hat": "x.x.x.x.x.x.x.x.", "kick": "X......xx.......", "snare": "....X.......X...",
         "tamb": "....o.......o..."},
        {"ride": "x...x...x...x...", "kick": "X.....xx..x.....", "rim": "....X.......X..."},
    ),
    "gospel": (
        {"hat": "x.x.x.x.x.x.x.x.", "kick": "X.....x.X.x.....", "snare": "....X.......X..o",
         "tamb": "..x...x...x...x."},
        {"ride": "X.x.X.x.X.x.X.x.", "kick": "X..x....X.......", "clap": "....X.......X..."},
    ),
    "salsa": (
        {"clave": "x.....x...x.x...", "cowbell": "X...x...X...x...", "mute conga": "x.x.....x.x.....",
         "conga": "......xx......xx", "kick": "......x.......x."},
        {"timbale": "X.x.xx.xx.x.xx.x", "clave": "..x.x...x.....x.", "conga": "....x.xx....x.xx",
         "low conga": "............x..."},
    ),
    "samba": (
        {"surdo": "o.......X.......", "shaker": "XooxXooxXooxXoox", "tamb": "x.xx.x.xx.xx.x.x",
         "agogo": "x.x...x.x..x....",
         "low agogo": "....xx....x..xx."},
        {"kick": "X..xX..xX..xX..x", "snare": "x.xx.xx.x.xx.xx.", "shaker": "XooxXooxXooxXoox"},
    ),
    "clap": (
        {"clap": "X..x..x.x.x.....", "low conga": "X.....x.....x..."},
        {"clap": "..X..x..X.x.x...", "conga": "X..x..x.X..x..x."},
    ),
    "afrobeat": (
        {"kick": "X..x....x..x....", "snare": "..o...o.X.o...o.", "hat": "x.xxx.xxx.xxx.xx",
         "clave": "x..x...x..x.x...",
         "shaker": "xoxoxoxoxoxoxoxo"},
        {"kick": "X.....x.X..x....", "rim": "..x..x..x..x..x.", "hat": "xoxoxoxoxoxoxoxo",
         "cowbell": "x..x..x...x.x..."},
    ),
    "epic": (
        {"kick": "X.....x.X...x...", "snare": "o.oo....X.oo....", "crash": "x..............."},
        {"kick": "X..x..x.X..x..x.", "surdo": "X.......X...X...", "snare": "....o.oo....oooo"},
    ),
    "chip": (
        {"kick": "X...X...X...X...", "snare": "....X.......X...", "hat": "x.xxx.xxx.xxx.xx"},
        {"kick": "X..x..x.X..x..x.", "snare": "....X.......X..x", "hat": "x.x.x.x.x.x.x.x."},
    ),
    "synthwave": (
        {"kick": "X...X...X...X...", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
        {"kick": "X.....x.X.......", "snare": "....X.......X...", "clap": "....x.......x...",
         "hat": "xoxoxoxoxoxoxoxo"},
    ),
    "march": (
        {"snare": "X.ooX.ooX.ooXoXo", "kick": "X.......X.......", "crash": "....x.......x..."},
        {"snare": "X.xxx.x.X.xxxxx.", "kick": "X...x...X...x..."},
    ),
    "tabla": (
        {"bongo": "X..x..x.x..x..x.", "low bongo": "x.....x.....x...", "low conga": "X.......x......."},
        {"bongo": "X.xxx.x.X.xxx.x.", "low bongo": "....x..x....x..x", "low conga": "X.......X.......",
         "triangle": "x......."},
    ),
    "waltz": (
        {"kick": "X...........", "snare": "....o...o...", "triangle": "....x...x..."},
        {"kick": "X...........", "hat": "....x...x..."},
    ),
}  # fmt: skip

_ELECTRONIC = {"house", "techno", "trance", "breakbeat", "halftime", "trap", "chip", "synthwave", "disco"}
_NO_FILL = {"swing", "bossa", "tabla", "bodhran", "clap", "waltz", "lofi"}


def bar(family: str, *, beats: int, variant: int, number: int, density: float, draw: random.Random) -> list[Note]:
    """One bar of a family's pattern: thinner at low density, its ghost notes never twice the same."""
    patterns = FAMILIES[family if family in FAMILIES else ("pop" if beats == 4 else "waltz")]
    notes = []
    for name, rhythm in patterns[variant % len(patterns)].items():
        for hit in hits(rhythm[: beats * 4]):
            ghost = hit.letter == "o"
            quiet = name in ("hat", "shaker", "tamb", "ride") and hit.step % 4 in (1, 3)
            if (ghost and draw.random() > 0.35 + density) or (quiet and density < 0.35):
                continue
            notes.append(Note(number, hit.step, 1.0, KEYS[name], hit.strength))
    if density > 0.75 and draw.random() < 0.3:
        notes.append(Note(number, beats * 4 - 1, 1.0, KEYS["snare" if beats == 4 else "hat"], 0.45))
    return notes


def fill(family: str, *, beats: int, number: int, kit: str, energy: float, draw: random.Random) -> list[Note]:
    """What replaces the last beat or two of a phrase; empty for families that do not interrupt themselves."""
    if family in _NO_FILL:
        return []
    length = 8 if energy > 0.6 and draw.random() < 0.5 else 4
    start = beats * 4 - length
    if kit == "orchestral percussion" or family in _ELECTRONIC:
        names = ["snare"] * length
    else:
        names = [n for n in ("snare", "high tom", "tom", "low tom") for _ in range(length // 4)]
    notes = []
    for i, name in enumerate(names):
        if i and draw.random() < 0.25:
            continue
        notes.append(Note(number, start + i, 1.0, KEYS[name], 0.5 + 0.45 * i / length))
    return notes
