"""What moods, tempo words, keys and settings do to the music, and other names for known words."""

from __future__ import annotations

from typing import NamedTuple


class Effect(NamedTuple):
    """What a mood or a setting changes; each roughly in [-1, 1], 0 changes nothing.

    valence: towards major (+) or minor (-). energy: velocity, accents. brightness: register and treble.
    density: notes and layers. space: reverberation. tempo: +1 is 23 % faster (0.3 octaves).
    """

    valence: float = 0.0
    energy: float = 0.0
    brightness: float = 0.0
    density: float = 0.0
    space: float = 0.0
    tempo: float = 0.0


MOODS: dict[str, Effect] = {
    "happy": Effect(0.9, 0.3, 0.4, 0.2, 0.0, 0.2),
    "joyful": Effect(1.0, 0.5, 0.5, 0.4, 0.0, 0.3),
    "cheerful": Effect(0.9, 0.3, 0.5, 0.1, -0.1, 0.2),
    "playful": Effect(0.7, 0.1, 0.5, 0.3, -0.3, 0.3),
    "hopeful": Effect(0.7, 0.1, 0.3, 0.0, 0.3, 0.0),
    "triumphant": Effect(0.8, 0.9, 0.5, 0.5, 0.5, 0.1),
    "heroic": Effect(0.5, 0.9, 0.4, 0.4, 0.5, 0.1),
    "epic": Effect(-0.2, 0.9, 0.2, 0.5, 0.8, 0.0),
    "energetic": Effect(0.3, 0.9, 0.4, 0.7, -0.2, 0.5),
    "aggressive": Effect(-0.7, 1.0, 0.7, 0.7, -0.2, 0.4),
    "angry": Effect(-0.9, 1.0, 0.6, 0.5, -0.2, 0.3),
    "groovy": Effect(0.2, 0.4, 0.0, 0.5, -0.2, 0.0),
    "bright": Effect(0.4, 0.1, 1.0, 0.0, 0.0, 0.0),
    "dark": Effect(-0.7, 0.0, -1.0, 0.0, 0.2, -0.1),
    "warm": Effect(0.3, -0.2, -0.6, 0.0, 0.2, -0.1),
    "calm": Effect(0.3, -0.7, -0.4, -0.6, 0.3, -0.3),
    "peaceful": Effect(0.5, -0.8, -0.3, -0.6, 0.5, -0.4),
    "relaxed": Effect(0.4, -0.5, -0.4, -0.4, 0.1, -0.3),
    "gentle": Effect(0.4, -0.7, -0.2, -0.4, 0.2, -0.2),
    "sad": Effect(-0.9, -0.5, -0.4, -0.4, 0.3, -0.4),
    "melancholic": Effect(-0.8, -0.4, -0.3, -0.3, 0.3, -0.3),
    "lonely": Effect(-0.8, -0.6, -0.3, -0.7, 0.6, -0.3),
    "gloomy": Effect(-1.0, -0.3, -0.8, -0.2, 0.4, -0.3),
    "nostalgic": Effect(0.1, -0.3, -0.4, -0.1, 0.3, -0.2),
    "romantic": Effect(0.4, -0.3, -0.1, 0.0, 0.4, -0.2),
    "sensual": Effect(-0.2, -0.3, -0.4, -0.1, 0.3, -0.2),
    "dreamy": Effect(0.3, -0.5, 0.0, -0.2, 0.9, -0.3),
    "ethereal": Effect(0.2, -0.6, 0.4, -0.3, 1.0, -0.3),
    "mysterious": Effect(-0.6, -0.3, -0.3, -0.3, 0.6, -0.2),
    "eerie": Effect(-0.9, -0.5, 0.1, -0.5, 0.8, -0.3),
    "tense": Effect(-0.8, 0.4, 0.2, 0.5, 0.1, 0.2),
    "solemn": Effect(-0.4, -0.2, -0.3, -0.4, 0.6, -0.4),
    "dramatic": Effect(-0.5, 0.7, 0.1, 0.4, 0.4, 0.0),
    "quirky": Effect(0.4, 0.2, 0.4, 0.2, -0.3, 0.1),
    "lush": Effect(0.3, 0.0, 0.0, 0.7, 0.5, 0.0),
    "sparse": Effect(0.0, -0.3, 0.0, -1.0, 0.2, 0.0),
    "busy": Effect(0.0, 0.3, 0.1, 1.0, 0.0, 0.0),
    "quiet": Effect(0.0, -0.9, -0.3, -0.5, 0.1, 0.0),
    "powerful": Effect(0.0, 1.0, 0.3, 0.4, 0.2, 0.0),
}

TEMPOS: dict[str, int] = {
    "very slow": 56,
    "slow": 70,
    "laid back": 82,
    "unhurried": 92,
    "medium tempo": 106,
    "upbeat": 122,
    "fast": 144,
    "very fast": 170,
    "frantic": 188,
}
"""Beats per minute that a word asks for; a genre pulls it a little towards its own range."""

NUMERIC_TEMPOS = {f"{bpm} bpm": bpm for bpm in range(40, 221, 2)}

TONICS = ("c", "c sharp", "d", "e flat", "e", "f", "f sharp", "g", "a flat", "a", "b flat", "b")
KEYS: dict[str, tuple[int, str]] = {
    f"{tonic} {mode}": (number, mode) for mode in ("major", "minor") for number, tonic in enumerate(TONICS)
}
"""A key's tonic (semitones above C) and its mode."""

MODES: dict[str, float] = {
    "major": 1.0,
    "lydian": 0.8,
    "mixolydian": 0.5,
    "blues": 0.0,
    "dorian": -0.3,
    "minor": -0.7,
    "phrygian": -0.9,
    "harmonic minor": -0.8,
    "phrygian dominant": -0.6,
    "pentatonic": 0.3,
}
"""A mode and how bright it is (its valence)."""

SETTINGS: dict[str, Effect] = {
    "at night": Effect(-0.3, -0.4, -0.4, -0.3, 0.4, -0.1),
    "at dawn": Effect(0.4, -0.4, 0.2, -0.4, 0.5, -0.2),
    "at sunset": Effect(0.2, -0.3, -0.3, -0.1, 0.4, -0.1),
    "in the rain": Effect(-0.4, -0.4, -0.3, 0.1, 0.5, -0.2),
    "by the sea": Effect(0.4, -0.3, 0.1, -0.1, 0.6, -0.1),
    "by the fire": Effect(0.4, -0.5, -0.5, -0.2, -0.2, -0.2),
    "in a cafe": Effect(0.3, -0.3, -0.2, 0.0, -0.2, 0.0),
    "in a cathedral": Effect(-0.1, 0.0, 0.0, -0.2, 1.0, -0.2),
    "in a concert hall": Effect(0.0, 0.2, 0.1, 0.2, 0.7, 0.0),
    "in a small room": Effect(0.0, -0.2, -0.1, -0.2, -0.8, 0.0),
    "in a club": Effect(-0.1, 0.6, 0.2, 0.4, 0.1, 0.1),
    "at a party": Effect(0.6, 0.6, 0.3, 0.4, 0.0, 0.2),
    "at a festival": Effect(0.5, 0.8, 0.3, 0.5, 0.4, 0.1),
    "on the road": Effect(0.2, 0.4, 0.2, 0.2, 0.0, 0.1),
    "on a train": Effect(0.0, 0.2, 0.0, 0.3, 0.0, 0.1),
    "in the city": Effect(0.0, 0.4, 0.1, 0.4, 0.0, 0.1),
    "in a forest": Effect(0.2, -0.4, 0.1, -0.2, 0.5, -0.1),
    "on a mountain": Effect(0.3, 0.1, 0.3, -0.1, 0.8, -0.1),
    "in the desert": Effect(-0.4, -0.2, 0.2, -0.4, 0.6, -0.1),
    "in space": Effect(-0.2, -0.3, 0.0, -0.3, 1.0, -0.2),
    "underwater": Effect(-0.2, -0.4, -0.9, -0.2, 0.8, -0.2),
    "in winter": Effect(-0.3, -0.3, 0.4, -0.3, 0.5, -0.1),
    "in summer": Effect(0.7, 0.3, 0.3, 0.2, 0.0, 0.1),
    "in spring": Effect(0.7, 0.0, 0.4, 0.1, 0.2, 0.0),
    "in a dream": Effect(0.1, -0.5, 0.0, -0.2, 1.0, -0.3),
    "in a film": Effect(-0.1, 0.4, 0.0, 0.3, 0.6, 0.0),
    "in a video game": Effect(0.3, 0.3, 0.6, 0.4, -0.3, 0.2),
    "for dancing": Effect(0.4, 0.7, 0.2, 0.5, -0.1, 0.1),
    "for studying": Effect(0.1, -0.6, -0.4, -0.4, 0.1, -0.2),
    "for sleeping": Effect(0.2, -1.0, -0.7, -0.9, 0.5, -0.6),
    "for running": Effect(0.3, 0.8, 0.3, 0.6, -0.2, 0.4),
}

SILENCEABLE = ("drums", "bass", "melody", "chords", "guitar", "synth", "pad", "others")
"""What has a negative token ("no drums") beside the instruments; "no others" leaves only what is named."""

ALIASES: dict[str, str] = {
    "solo": "no others", "unaccompanied": "no others", "a cappella": "no others", "nothing else": "no others",
    # genres
    "electro": "techno", "electronic": "house", "edm": "house", "dnb": "drum and bass",
    "drum n bass": "drum and bass", "drum & bass": "drum and bass", "jungle": "drum and bass", "rap": "hip hop",
    "hip-hop": "hip hop", "hiphop": "hip hop", "lofi": "lo-fi", "lo fi": "lo-fi", "chillhop": "lo-fi",
    "bossa": "bossa nova", "latin": "salsa", "mambo": "salsa", "r&b": "soul", "rnb": "soul",
    "rhythm and blues": "soul", "orchestral": "cinematic", "soundtrack": "cinematic", "film score": "cinematic",
    "symphony": "classical", "symphonic": "classical", "chamber music": "classical", "8-bit": "chiptune",
    "8 bit": "chiptune", "retro game": "chiptune", "eighties": "synthwave", "80s": "synthwave", "irish": "celtic",
    "bluegrass": "country", "americana": "country", "heavy metal": "metal", "hard rock": "rock", "indie": "rock",
    "grunge": "rock", "big band": "swing", "ragtime": "swing", "raga": "indian", "spanish": "flamenco",
    "brazilian": "samba", "dub": "reggae", "meditation": "new age", "drone": "ambient", "acoustic": "folk",
    "singer songwriter": "folk", "military": "march", "trip hop": "hip hop", "trip-hop": "hip hop",
    "gamelan": "ambient",
    # moods
    "chill": "relaxed", "mellow": "relaxed", "laid-back": "laid back", "soft": "quiet", "loud": "powerful",
    "uplifting": "hopeful", "sorrowful": "sad", "melancholy": "melancholic", "scary": "eerie", "spooky": "eerie",
    "creepy": "eerie", "moody": "gloomy", "serene": "peaceful", "tranquil": "peaceful", "soothing": "gentle",
    "tender": "gentle", "intense": "dramatic", "intimate": "quiet", "driving": "energetic", "lively": "energetic",
    "funny": "quirky", "sunny": "happy", "merry": "cheerful", "magical": "dreamy", "hypnotic": "mysterious",
    "minimal": "sparse", "minimalist": "sparse", "dense": "busy", "rich": "lush", "majestic": "triumphant",
    "brooding": "dark", "suspenseful": "tense", "bittersweet": "nostalgic", "sexy": "sensual", "brilliant": "bright",
    "shiny": "bright", "muffled": "dark", "furious": "angry", "wistful": "nostalgic", "relaxing": "relaxed",
    "relax": "relaxed", "calming": "calm", "beautiful": "romantic", "love": "romantic", "battle": "heroic",
    "adventurous": "heroic", "fun": "playful", "exciting": "energetic", "happiness": "happy", "sadness": "sad",
    "tension": "tense", "melodic": "hopeful", "ominous": "dark", "haunting": "eerie", "horror": "eerie",
    "cosy": "warm", "cozy": "warm", "dreamlike": "dreamy", "floating": "dreamy", "ethnic": "mysterious",
    "heavy": "aggressive", "brutal": "aggressive", "gritty": "aggressive", "cool": "groovy", "funky": "funk",
    "jazzy": "jazz", "bluesy": "blues", "folky": "folk", "rocking": "rock", "poppy": "pop", "soulful": "soul",
    "string quartet": "classical", "piano trio": "jazz", "love song": "romantic", "lullaby": "for sleeping",
    # instruments
    "grand piano": "piano", "keyboard": "electric piano", "keys": "electric piano", "rhodes": "electric piano",
    "guitar": "acoustic guitar", "guitars": "acoustic guitar", "nylon guitar": "acoustic guitar",
    "classical guitar": "acoustic guitar", "steel string guitar": "steel guitar", "clean guitar": "electric guitar",
    "distortion guitar": "distorted guitar", "upright bass": "double bass", "contrabass": "double bass",
    "acoustic bass": "double bass", "bass guitar": "electric bass", "bass": "electric bass", "sub bass": "synth bass",
    "heavy guitar": "distorted guitar", "heavy guitars": "distorted guitar", "string": "strings", "sax": "saxophone",
    "tenor saxophone": "saxophone", "tenor sax": "saxophone", "alto sax": "alto saxophone",
    "soprano sax": "soprano saxophone", "baritone sax": "baritone saxophone", "horn": "french horn", "horns": "brass",
    "hammond": "organ", "hammond organ": "organ", "pipe organ": "church organ", "vocals": "voice", "vocal": "voice",
    "singing": "voice", "singer": "voice", "synth": "poly synth", "synthesizer": "poly synth",
    "synthesiser": "poly synth", "synths": "poly synth", "synth lead": "saw lead", "synth pad": "warm pad",
    "pad": "warm pad", "pads": "warm pad", "pizzicato": "pizzicato strings", "violins": "strings",
    "string section": "strings", "orchestra": "strings", "vibes": "vibraphone", "bells": "tubular bells",
    "chimes": "tubular bells", "drum": "drums", "drum kit": "drums", "percussion": "drums", "beat": "drums",
    "beats": "drums", "808": "drum machine", "808 drums": "drum machine", "brushed drums": "brushes",
    "steel drum": "steel drums", "steelpan": "steel drums", "thumb piano": "kalimba", "bagpipe": "bagpipes",
    # tempo, setting
    "sunrise": "at dawn", "morning": "at dawn", "evening": "at sunset", "christmas": "in winter", "snow": "in winter",
    "beach": "by the sea", "waves": "by the sea", "woods": "in a forest", "nature": "in a forest",
    "sport": "for running", "reading": "for studying", "focus": "for studying", "dancing": "for dancing",
    "dancefloor": "in a club", "fireplace": "by the fire", "driving at night": "on the road", "midnight": "at night",
    "moonlight": "at night", "quick": "fast", "rapid": "fast", "speedy": "fast", "moderate": "medium tempo",
    "mid tempo": "medium tempo", "midtempo": "medium tempo", "slowly": "slow", "largo": "very slow", "adagio": "slow",
    "andante": "unhurried", "moderato": "medium tempo", "allegro": "fast", "presto": "very fast",
    "at the beach": "by the sea", "night": "at night", "rain": "in the rain", "rainy": "in the rain",
    "ocean": "by the sea", "sea": "by the sea", "forest": "in a forest", "cathedral": "in a cathedral",
    "church": "in a cathedral", "club": "in a club", "dance": "for dancing", "party": "at a party",
    "space": "in space", "studying": "for studying", "study": "for studying", "sleep": "for sleeping",
    "sleeping": "for sleeping", "workout": "for running", "road trip": "on the road", "city": "in the city",
    "urban": "in the city", "desert": "in the desert", "winter": "in winter", "summer": "in summer",
    "spring": "in spring", "film": "in a film", "movie": "in a film", "video game": "in a video game",
    "game": "in a video game", "mountain": "on a mountain", "sunset": "at sunset", "dawn": "at dawn",
    "cafe": "in a cafe", "coffee": "in a cafe", "dream": "in a dream", "festival": "at a festival",
}  # fmt: skip
"""Other names for known words, so that what people write is understood."""

SUGGESTS: dict[str, str] = {
    "epic": "cinematic", "heroic": "cinematic", "triumphant": "cinematic", "dramatic": "cinematic",
    "tense": "cinematic", "mysterious": "cinematic", "in a film": "cinematic", "dreamy": "ambient",
    "ethereal": "ambient", "in space": "ambient", "underwater": "ambient", "for sleeping": "ambient",
    "eerie": "ambient", "peaceful": "new age", "calm": "new age", "in a forest": "new age",
    "on a mountain": "new age", "groovy": "funk", "relaxed": "lo-fi", "for studying": "lo-fi", "sensual": "soul",
    "romantic": "classical", "sad": "classical", "angry": "metal", "aggressive": "metal", "energetic": "house",
    "for dancing": "house", "in a club": "house", "for running": "trance", "at a party": "disco",
    "at a festival": "house", "in a video game": "chiptune", "quirky": "chiptune", "on the road": "rock",
    "powerful": "rock", "in a cafe": "jazz", "at night": "jazz", "in a cathedral": "baroque",
    "in a concert hall": "classical", "solemn": "classical", "by the fire": "folk", "in summer": "reggae",
    "by the sea": "bossa nova", "poly synth": "synthwave", "saw lead": "trance", "square lead": "chiptune",
    "saxophone": "jazz", "distorted guitar": "metal", "overdriven guitar": "rock", "electric guitar": "rock",
    "electric piano": "soul", "drum machine": "hip hop", "choir": "gospel", "acoustic guitar": "folk",
}  # fmt: skip
"""The genre that a word brings to mind when the prompt names none."""

SILENT_WORDS = frozenset(
    {
        "a", "an", "and", "the", "with", "in", "on", "at", "of", "for", "to", "by", "from", "music", "song", "track",
        "piece", "tune", "sound", "sounds", "like", "that", "is", "it", "its", "some", "very", "really", "quite",
        "style", "featuring", "feat", "plus", "play", "playing", "feel", "feeling", "vibe", "mood", "key", "tempo",
        "bpm", "made", "as", "into", "or", "but", "this", "my", "your", "our", "me", "i", "you", "we",
    }
)  # fmt: skip
"""Words that say nothing about the sound."""

NEGATIONS = ("no", "without", "not", "non", "minus", "sans", "never", "excluding", "except", "lacking")
