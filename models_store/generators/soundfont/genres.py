"""The genres a prompt can name and the musical habits of each."""

from __future__ import annotations

from typing import NamedTuple


class Genre(NamedTuple):
    """bpm: its range of tempo. minor: how often it is in a minor key, in [0, 1]. swing: 0 straight to 1 triplets.

    drums, bass, chords, melody: names of patterns in `drums.py`, `bass.py`, `chords.py` and `melody.py`; "" for none.
    major, minor_progressions: what harmony.py reads, one chord a bar. colour: 3 triads, 4 sevenths, 5 ninths.
    lead, comp, pad, low, arp: instruments to choose from; "" may be among them. kit: a drum kit.
    brightness, valence in [-1, 1]; density, energy, space in [0, 1]. beats: of a bar, 3 or 4.
    """

    bpm: tuple[int, int]
    minor: float
    swing: float
    drums: str
    kit: str
    bass: str
    chords: str
    melody: str
    major: tuple[str, ...]
    minor_progressions: tuple[str, ...]
    colour: int
    lead: tuple[str, ...]
    comp: tuple[str, ...]
    pad: tuple[str, ...]
    low: tuple[str, ...]
    arp: tuple[str, ...]
    brightness: float
    density: float
    energy: float
    space: float
    acoustic: float
    beats: int = 4
    mode: str = ""


_POP = ("I V vi IV", "vi IV I V", "I vi IV V", "I IV vi V")
_POP_MINOR = ("i VI III VII", "i VII VI VII", "i iv VI v", "i III VII iv")
_JAZZ = ("ii V I vi", "I vi ii V", "iii vi ii V", "I IV iii vi")
_JAZZ_MINOR = ("i iv ii V", "i VI ii V", "iv VII III V")
_CLASSIC = ("I IV V I", "I ii V I", "I vi ii V", "I V vi iii IV I IV V")
_CLASSIC_MINOR = ("i iv V i", "i VI ii V", "i iv VII III VI ii V i")
_DANCE = ("vi IV I V", "I vi IV V", "IV V iii vi")
_DANCE_MINOR = ("i VI III VII", "i i VI VII", "i iv i v", "VI VII i i")
_FOLK = ("I IV I V", "I V IV I", "I vi IV V", "I I IV V")
_FOLK_MINOR = ("i VII i v", "i VI VII i", "i III VII i")
_VAMP = ("I IV I IV", "I I IV I", "I bVII IV I")
_VAMP_MINOR = ("i IV i IV", "i i IV i", "i VII i VII")
_AMBIENT = ("I iii IV I", "I V IV IV", "IV I vi V", "I ii IV I")
_AMBIENT_MINOR = ("i VI i VII", "i III VI iv", "i v VI i")
_EPIC_MINOR = ("i VI III VII", "i VI iv V", "i III VI VII")

GENRES: dict[str, Genre] = {
    "jazz": Genre(
        (110, 170), 0.4, 0.9, "swing", "jazz drums", "walking", "charleston", "bebop",
        _JAZZ, _JAZZ_MINOR, 5,
        ("saxophone", "muted trumpet", "alto saxophone", "clarinet"), ("piano", "jazz guitar"), ("",),
        ("double bass",), ("", "vibraphone"),
        -0.1, 0.6, 0.5, 0.3, 0.9
    ),
    "bossa nova": Genre(
        (118, 140), 0.4, 0.0, "bossa", "brushes", "bossa", "bossa", "lyrical",
        _JAZZ, _JAZZ_MINOR, 5,
        ("flute", "alto saxophone", "voice"), ("acoustic guitar",), ("", "slow strings"),
        ("double bass",), ("electric piano", ""),
        -0.2, 0.5, 0.3, 0.35, 0.9
    ),
    "blues": Genre(
        (78, 116), 0.3, 1.0, "shuffle", "drums", "shuffle", "shuffle", "blues",
        ("I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7", "I7 IV7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7"),
        ("i i i i iv iv i i V iv i V",), 4,
        ("harmonica", "electric guitar", "saxophone"), ("piano", "overdriven guitar", "honky tonk piano"),
        ("", "organ"),
        ("electric bass", "double bass"), ("",),
        0.1, 0.5, 0.5, 0.25, 0.6, mode="blues"
    ),
    "rock": Genre(
        (108, 146), 0.45, 0.0, "rock", "power drums", "eighths", "power", "riff",
        ("I bVII IV I", "I V IV IV", "I IV V IV"), _POP_MINOR, 3,
        ("overdriven guitar", "electric guitar", "rock organ"), ("overdriven guitar", "distorted guitar"),
        ("", "rock organ"),
        ("electric bass",), ("",),
        0.5, 0.65, 0.8, 0.25, -0.3
    ),
    "metal": Genre(
        (130, 180), 1.0, 0.0, "metal", "power drums", "gallop", "chug", "riff",
        ("i VI VII i",), ("i bII i VII", "i VI VII i", "i i bII VI", "i iv bII i"), 3,
        ("distorted guitar",), ("distorted guitar",), ("", "choir"),
        ("electric bass",), ("",),
        0.7, 0.9, 1.0, 0.2, -0.8
    ),
    "punk": Genre(
        (165, 198), 0.2, 0.0, "punk", "power drums", "eighths", "power", "riff",
        ("I IV V V", "I V vi IV", "I IV I V"), ("i VI III VII",), 3,
        ("overdriven guitar",), ("distorted guitar",), ("",),
        ("electric bass",), ("",),
        0.7, 0.85, 0.95, 0.15, -0.5
    ),
    "pop": Genre(
        (96, 128), 0.3, 0.0, "pop", "room drums", "pop", "eighths", "hook",
        _POP, _POP_MINOR, 3,
        ("saw lead", "voice", "electric guitar", "square lead"), ("piano", "electric guitar", "steel guitar"),
        ("warm pad", "synth strings"),
        ("electric bass", "synth bass"), ("", "crystal synth"),
        0.3, 0.55, 0.6, 0.35, 0.0
    ),
    "funk": Genre(
        (98, 116), 0.6, 0.15, "funk", "room drums", "funk", "funk", "riff",
        _VAMP, _VAMP_MINOR, 5,
        ("brass", "saxophone", "trumpet"), ("clavinet", "muted guitar", "electric guitar"), ("", "organ"),
        ("slap bass", "electric bass"), ("",),
        0.4, 0.85, 0.75, 0.15, 0.1, mode="dorian"
    ),
    "disco": Genre(
        (114, 126), 0.5, 0.0, "disco", "room drums", "octaves", "disco", "hook",
        _DANCE, _DANCE_MINOR, 4,
        ("strings", "brass", "flute"), ("electric guitar", "electric piano"), ("strings",),
        ("electric bass",), ("", "clavinet"),
        0.5, 0.75, 0.8, 0.3, 0.1
    ),
    "house": Genre(
        (120, 128), 0.7, 0.1, "house", "electronic drums", "offbeat", "house", "hook",
        _DANCE, _DANCE_MINOR, 5,
        ("saw lead", "voice", "square lead"), ("bright piano", "poly synth", "organ"), ("warm pad", "synth strings"),
        ("synth bass",), ("", "poly synth"),
        0.4, 0.7, 0.75, 0.35, -0.8
    ),
    "techno": Genre(
        (126, 138), 1.0, 0.0, "techno", "drum machine", "sixteenths", "stab", "sparse",
        ("i i i i",), ("i i i i", "i i bII i", "i i VI i"), 3,
        ("square lead",), ("poly synth",), ("sweep pad", "space pad"),
        ("synth bass",), ("saw lead", "crystal synth", "square lead"),
        0.1, 0.85, 0.85, 0.45, -1.0
    ),
    "trance": Genre(
        (134, 142), 0.9, 0.0, "trance", "electronic drums", "offbeat", "pad", "anthem",
        _DANCE, _DANCE_MINOR, 3,
        ("saw lead", "synth brass"), ("poly synth",), ("synth strings", "sweep pad"),
        ("synth bass",), ("saw lead", "poly synth"),
        0.6, 0.85, 0.85, 0.6, -1.0
    ),
    "drum and bass": Genre(
        (168, 176), 0.9, 0.0, "breakbeat", "electronic drums", "sub", "pad", "sparse",
        _DANCE, _DANCE_MINOR, 5,
        ("voice", "square lead", "electric piano"), ("electric piano", "poly synth"), ("space pad", "warm pad"),
        ("synth bass",), ("", "crystal synth"),
        0.4, 0.85, 0.85, 0.45, -0.8
    ),
    "dubstep": Genre(
        (138, 144), 1.0, 0.0, "halftime", "electronic drums", "wobble", "stab", "sparse",
        ("i VI i VII",), ("i i VI VII", "i bII i VII", "i i i VI"), 3,
        ("square lead", "synth brass"), ("poly synth",), ("sweep pad",),
        ("synth bass",), ("", "crystal synth"),
        0.3, 0.6, 0.85, 0.4, -1.0
    ),
    "hip hop": Genre(
        (84, 98), 0.85, 0.35, "boombap", "drum machine", "hiphop", "stab", "sparse",
        _VAMP, _POP_MINOR, 4,
        ("flute", "vibraphone", "muted trumpet"), ("electric piano", "piano"), ("", "strings"),
        ("electric bass", "synth bass"), ("", "pizzicato strings", "harp"),
        -0.2, 0.5, 0.55, 0.2, -0.3
    ),
    "trap": Genre(
        (134, 150), 1.0, 0.0, "trap", "drum machine", "sub", "pad", "sparse",
        ("i VI i VII",), ("i i VI VII", "i VI i v", "i bII i i"), 3,
        ("flute", "music box", "square lead"), ("piano", "poly synth"), ("choir", "warm pad"),
        ("synth bass",), ("music box", "crystal synth", "pizzicato strings"),
        0.1, 0.7, 0.6, 0.4, -0.8
    ),
    "lo-fi": Genre(
        (70, 88), 0.5, 0.6, "lofi", "room drums", "hiphop", "slow_chords", "lazy",
        _JAZZ, _JAZZ_MINOR, 5,
        ("vibraphone", "jazz guitar", "flute"), ("electric piano", "piano"), ("warm pad", ""),
        ("electric bass", "double bass"), ("", "jazz guitar"),
        -0.7, 0.4, 0.25, 0.35, 0.3
    ),
    "reggae": Genre(
        (70, 84), 0.35, 0.3, "onedrop", "room drums", "dub", "skank", "lazy",
        ("I V vi IV", "I IV I V", "I ii I ii"), ("i VII VI VII", "i iv i iv"), 3,
        ("trombone", "saxophone", "harmonica"), ("electric guitar", "organ"), ("organ", ""),
        ("electric bass",), ("", "clavinet"),
        -0.1, 0.5, 0.45, 0.4, 0.1
    ),
    "ska": Genre(
        (150, 172), 0.3, 0.2, "ska", "drums", "walking", "skank", "riff",
        ("I IV V IV", "I vi IV V", "I I IV V"), _POP_MINOR, 3,
        ("trumpet", "brass", "trombone"), ("electric guitar", "bright piano"), ("", "organ"),
        ("electric bass",), ("",),
        0.5, 0.75, 0.85, 0.2, 0.3
    ),
    "country": Genre(
        (100, 132), 0.1, 0.25, "train", "drums", "two_beat", "boom_chick", "twang",
        _FOLK, _FOLK_MINOR, 3,
        ("fiddle", "steel guitar", "harmonica"), ("steel guitar", "acoustic guitar"), ("",),
        ("double bass", "electric bass"), ("banjo", ""),
        0.4, 0.65, 0.6, 0.2, 0.9
    ),
    "folk": Genre(
        (84, 116), 0.35, 0.0, "", "brushes", "two_beat", "fingerpick", "folk",
        _FOLK, _FOLK_MINOR, 3,
        ("flute", "fiddle", "harmonica", "recorder"), ("acoustic guitar", "steel guitar"), ("", "accordion"),
        ("double bass",), ("", "dulcimer", "harp"),
        0.1, 0.55, 0.35, 0.25, 1.0
    ),
    "celtic": Genre(
        (104, 126), 0.6, 0.1, "bodhran", "orchestral percussion", "drone", "fingerpick", "jig",
        ("I bVII I V", "I IV I bVII", "I V IV I"), ("i VII i VII", "i VII VI VII", "i v VI VII"), 3,
        ("fiddle", "flute", "bagpipes", "recorder"), ("harp", "acoustic guitar", "dulcimer"), ("", "strings"),
        ("cello",), ("",),
        0.4, 0.75, 0.6, 0.4, 1.0, mode="dorian"
    ),
    "classical": Genre(
        (84, 132), 0.4, 0.0, "", "orchestral percussion", "long", "alberti", "classical",
        _CLASSIC, _CLASSIC_MINOR, 3,
        ("violin", "oboe", "clarinet", "flute"), ("piano",), ("strings",),
        ("cello", "double bass"), ("", "pizzicato strings"),
        0.1, 0.6, 0.4, 0.5, 1.0
    ),
    "baroque": Genre(
        (84, 112), 0.5, 0.0, "", "orchestral percussion", "baroque", "broken", "running",
        ("I V vi iii IV I IV V", "I IV ii V I vi ii V", "vi ii V I IV ii V I"),
        ("i iv VII III VI ii V i", "i V i iv i VI ii V"), 3,
        ("violin", "recorder", "oboe"), ("harpsichord",), ("", "strings", "church organ"),
        ("cello", "bassoon"), ("",),
        0.5, 0.85, 0.5, 0.45, 1.0
    ),
    "waltz": Genre(
        (126, 180), 0.4, 0.0, "waltz", "orchestral percussion", "waltz", "waltz", "classical",
        _CLASSIC, _CLASSIC_MINOR, 3,
        ("violin", "clarinet", "accordion", "flute"), ("piano", "strings", "accordion"), ("strings", ""),
        ("double bass", "cello"), ("", "harp"),
        0.2, 0.5, 0.4, 0.45, 1.0, 3
    ),
    "ambient": Genre(
        (60, 78), 0.45, 0.0, "", "brushes", "drone", "slow_arp", "floating",
        _AMBIENT, _AMBIENT_MINOR, 5,
        ("voice", "crystal synth", "pan flute"), ("electric piano", "harp"), ("warm pad", "space pad", "sweep pad"),
        ("synth bass",), ("",),
        -0.5, 0.2, 0.1, 1.0, -0.5
    ),
    "new age": Genre(
        (64, 84), 0.3, 0.0, "", "brushes", "long", "flow", "floating",
        _AMBIENT, _AMBIENT_MINOR, 3,
        ("pan flute", "shakuhachi", "oboe"), ("piano", "harp"), ("choir", "slow strings"),
        ("fretless bass",), ("",),
        0.0, 0.4, 0.2, 0.8, 0.6
    ),
    "soul": Genre(
        (72, 100), 0.35, 0.3, "soul", "room drums", "soul", "slow_chords", "lyrical",
        ("I vi ii V", "I iii IV V", "IV iii ii I"), ("i iv i V", "i VI iv V"), 5,
        ("saxophone", "voice", "trumpet"), ("electric piano", "organ", "piano"), ("organ", "strings"),
        ("electric bass",), ("", "electric guitar"),
        0.0, 0.5, 0.45, 0.3, 0.5
    ),
    "gospel": Genre(
        (72, 104), 0.1, 0.6, "gospel", "drums", "soul", "gospel", "lyrical",
        ("I I7 IV iv", "I vi ii V", "I iii vi V", "IV I V I"), ("i iv i V",), 4,
        ("choir", "voice"), ("piano", "organ"), ("choir", "organ"),
        ("electric bass",), ("",),
        0.2, 0.55, 0.6, 0.5, 0.7
    ),
    "salsa": Genre(
        (168, 200), 0.6, 0.0, "salsa", "drums", "tumbao", "montuno", "riff",
        ("I IV V IV", "ii V I I", "I ii V I"), ("i iv V V", "i VII VI V", "i iv V i"), 4,
        ("trumpet", "brass", "trombone"), ("piano",), ("",),
        ("double bass", "electric bass"), ("", "vibraphone"),
        0.5, 0.85, 0.8, 0.25, 0.7
    ),
    "samba": Genre(
        (96, 112), 0.4, 0.0, "samba", "drums", "samba", "samba", "hook",
        _JAZZ, _JAZZ_MINOR, 4,
        ("flute", "trombone", "accordion"), ("acoustic guitar",), ("",),
        ("electric bass",), ("", "steel drums"),
        0.4, 0.9, 0.75, 0.2, 0.8
    ),
    "tango": Genre(
        (112, 130), 0.9, 0.0, "", "orchestral percussion", "tango", "tango", "dramatic",
        ("I V V I",), ("i V V i", "i iv V i", "i VI iv V", "iv i V i"), 3,
        ("bandoneon", "violin"), ("piano", "bandoneon"), ("strings", ""),
        ("double bass",), ("",),
        0.1, 0.6, 0.6, 0.35, 1.0
    ),
    "flamenco": Genre(
        (96, 132), 1.0, 0.0, "clap", "drums", "long", "strum16", "flamenco",
        ("i VII VI V",), ("i VII VI V", "iv III bII I", "VI V VI V"), 3,
        ("acoustic guitar",), ("acoustic guitar",), ("",),
        ("double bass",), ("",),
        0.3, 0.8, 0.7, 0.3, 1.0, mode="phrygian"
    ),
    "afrobeat": Genre(
        (98, 116), 0.7, 0.1, "afrobeat", "drums", "afro", "afro", "riff",
        _VAMP, _VAMP_MINOR, 4,
        ("saxophone", "brass", "trumpet"), ("electric guitar", "muted guitar"), ("", "organ"),
        ("electric bass",), ("marimba", "kalimba"),
        0.3, 0.9, 0.75, 0.2, 0.5, mode="dorian"
    ),
    "cinematic": Genre(
        (76, 108), 0.85, 0.0, "epic", "orchestral percussion", "ostinato", "pad", "anthem",
        ("I V vi IV", "I iii IV iv", "IV V vi I"), _EPIC_MINOR, 3,
        ("french horn", "trumpet", "violin"), ("strings",), ("strings", "choir"),
        ("cello", "double bass"), ("pizzicato strings", "strings", ""),
        0.0, 0.65, 0.7, 0.7, 0.9
    ),
    "chiptune": Genre(
        (128, 164), 0.5, 0.0, "chip", "drum machine", "octaves", "arp16", "chip",
        _POP, _POP_MINOR, 3,
        ("square lead",), ("square lead",), ("",),
        ("synth bass",), ("",),
        0.9, 0.8, 0.75, 0.05, -1.0
    ),
    "synthwave": Genre(
        (84, 116), 0.9, 0.0, "synthwave", "power drums", "pulse", "pad", "anthem",
        _DANCE, _DANCE_MINOR, 3,
        ("saw lead", "synth brass"), ("poly synth", "synth brass"), ("synth strings", "warm pad"),
        ("synth bass",), ("saw lead", "square lead"),
        0.3, 0.65, 0.65, 0.55, -1.0
    ),
    "march": Genre(
        (108, 120), 0.15, 0.0, "march", "orchestral percussion", "two_beat", "march", "fanfare",
        _CLASSIC, _CLASSIC_MINOR, 3,
        ("trumpet", "piccolo", "brass"), ("brass", "french horn"), ("",),
        ("tuba",), ("", "glockenspiel"),
        0.6, 0.65, 0.8, 0.4, 0.9
    ),
    "indian": Genre(
        (72, 108), 0.6, 0.0, "tabla", "drums", "drone", "drone", "raga",
        ("I I I I", "I bII I I"), ("i i i i", "i bII i i"), 3,
        ("sitar",), ("dulcimer", "harp"), ("", "warm pad"),
        ("cello",), ("",),
        0.4, 0.65, 0.45, 0.5, 1.0, mode="phrygian dominant"
    ),
    "swing": Genre(
        (140, 190), 0.25, 1.0, "bigband", "jazz drums", "walking", "freddie", "bebop",
        _JAZZ, _JAZZ_MINOR, 5,
        ("clarinet", "trumpet", "saxophone"), ("jazz guitar", "piano"), ("",),
        ("double bass",), ("", "vibraphone"),
        0.3, 0.75, 0.75, 0.3, 1.0
    ),
}  # fmt: skip
