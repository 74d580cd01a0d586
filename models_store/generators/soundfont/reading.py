"""Reads a prompt: the known tokens it says, in order. Every word counts, unknown ones too."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from hashlib import blake2b

from models_store.generators.soundfont.vocabulary import COLOURS, TOKEN_INDEX
from models_store.generators.soundfont.words import ALIASES, NEGATIONS, SILENT_WORDS

LONGEST_PROMPT = 2000
"""Characters. Nobody describes music in more; it bounds the work that one prompt can ask for."""

_LONGEST_PHRASE = 5
_TEMPO = re.compile(r"\b(\d{2,3})\s*(?:bpm|beats per minute)\b")
_KEY = re.compile(r"\b([a-g])[ -]?(#|♯|sharp|b|♭|flat)?[ -](major|minor|maj|min|dorian|lydian|mixolydian|phrygian)\b")
_WORDS = re.compile(r"[^\W_]+(?:[-'&][^\W_]+)*|[^\w\s]|,")
_SAME_TONE = {"d flat": "c sharp", "d sharp": "e flat", "g flat": "f sharp", "g sharp": "a flat", "a sharp": "b flat"}
_SAME_TONE |= {"e sharp": "f", "f flat": "e", "b sharp": "c", "c flat": "b"}
_WITHOUT = {"drumless": "no drums", "beatless": "no drums", "unplugged": "no synth", "bassless": "no bass"}
_JOINTS = ("and", "or", "nor", "any", "the", "a")


def tokens(prompt: str) -> tuple[str, ...]:
    """The tokens of the vocabulary that `prompt` says.

    Raises ValueError for a prompt that is empty, blank or longer than LONGEST_PROMPT characters.
    """
    if len(prompt) > LONGEST_PROMPT:
        raise ValueError(f"prompt: expected at most {LONGEST_PROMPT} characters, got {len(prompt)}")
    visible = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in unicodedata.normalize("NFKC", prompt))
    if not visible.strip():
        raise ValueError("prompt: expected words that describe music, got none")
    return _read(_spell_out(visible.lower()))


@lru_cache(maxsize=4096)
def _read(text: str) -> tuple[str, ...]:
    words = _WORDS.findall(text)
    found: list[str] = []
    at, negated = 0, False
    while at < len(words):
        word = words[at]
        if word in NEGATIONS or word.endswith("n't"):
            negated, at = True, at + 1
            continue
        phrase, taken = _longest_phrase(words, at)
        if negated:
            silence = _silence(phrase)
            found += [silence] if silence else []
            # "no drums or bass" goes on; any other word ends what the negation reaches.
            negated = phrase in _JOINTS or (at + taken < len(words) and words[at + taken] in ("and", "or", "nor"))
        else:
            found += _positive(phrase)
        at += taken
    return tuple(found)


def _spell_out(text: str) -> str:
    """Tempos and keys in the vocabulary's spelling: `93bpm` as `92 bpm`, `bb min` as `b flat minor`."""

    def tempo(match: re.Match[str]) -> str:
        return f" {min(220, max(40, int(match[1]) // 2 * 2))} bpm "

    def key(match: re.Match[str]) -> str:
        letter, accidental, mode = match[1], match[2] or "", match[3]
        sign = {"#": " sharp", "♯": " sharp", "sharp": " sharp", "b": " flat", "♭": " flat", "flat": " flat"}
        tonic = letter + sign.get(accidental, "")
        tonic = _SAME_TONE.get(tonic, tonic)
        mode = {"maj": "major", "min": "minor"}.get(mode, mode)
        if mode in ("major", "minor"):
            return f"{tonic} {mode}"
        return f"{tonic} {'major' if mode in ('lydian', 'mixolydian') else 'minor'} {mode}"

    return _KEY.sub(key, _TEMPO.sub(tempo, text))


def _longest_phrase(words: list[str], at: int) -> tuple[str, int]:
    """The longest known phrase that starts at `at`, else its word; and how many words it takes."""
    for taken in range(min(_LONGEST_PHRASE, len(words) - at), 1, -1):
        phrase = " ".join(words[at : at + taken])
        if phrase in TOKEN_INDEX or phrase in ALIASES:
            return phrase, taken
    return words[at], 1


def _positive(phrase: str) -> list[str]:
    if phrase in _WITHOUT:
        return [_WITHOUT[phrase]]
    canonical = ALIASES.get(phrase, phrase)
    if canonical in TOKEN_INDEX:
        return [canonical]
    if phrase in SILENT_WORDS or (len(phrase) == 1 and unicodedata.category(phrase)[0] == "P"):
        return []
    near = _nearest_word(phrase)
    return [ALIASES.get(near, near)] if near else [_colour(phrase)]


def _silence(phrase: str) -> str:
    """The token that leaves `phrase` out; "" when it is nothing that could sound."""
    near = _nearest_word(phrase)
    forms = (phrase, phrase.removesuffix("s"), phrase + "s")
    for name in (*forms, *(ALIASES.get(form, "") for form in forms), near, ALIASES.get(near, "")):
        if f"no {name}" in TOKEN_INDEX:
            return f"no {name}"
    return ""


def _colour(word: str) -> str:
    digest = blake2b(word.encode("utf-8", "replace"), digest_size=4).digest()
    return f"<colour {int.from_bytes(digest, 'big') % COLOURS}>"


_SINGLE_WORDS = tuple(sorted(w for w in {*TOKEN_INDEX, *ALIASES} if w.isalpha() and len(w) >= 4))


@lru_cache(maxsize=4096)
def _nearest_word(word: str) -> str:
    """The known word that `word` is probably a misspelling of, else ""."""
    if len(word) < 4 or len(word) > 24:
        return ""
    most = 1 if len(word) < 7 else 2
    best, fewest = "", most + 1
    for known in _SINGLE_WORDS:
        if abs(len(known) - len(word)) <= min(most, fewest) and known[0] == word[0]:
            edits = _edits(word, known, most + 1)
            # Of two equally near words the longer: people leave letters out more often than they add some.
            if edits < fewest or (edits == fewest <= most and len(known) > len(best)):
                best, fewest = known, edits
    return best


def _edits(a: str, b: str, limit: int) -> int:
    """Levenshtein distance, given up as soon as it must reach `limit`."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        above, row = row, [i]
        for j, y in enumerate(b, start=1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y)))
        if min(row) >= limit:
            return limit
    return row[-1]
