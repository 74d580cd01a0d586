"""Every generator and encoder by name, one prepared instance per process. Importing this imports no torch."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from models_store.encoders.base import AudioEncoder
    from models_store.generators.base import GenomeKind, MusicGenerator, TokenVocabulary
    from models_store.prompts import Lexicon

Kind = Literal["generator", "encoder"]


@dataclass(frozen=True)
class Entry:
    """What is known of an instrument without loading it.

    genome_kinds: what a generator plays; empty for an encoder. sample_rate: Hz, what it plays or hears best.
    longest_seconds: the longest piece; infinite for an encoder that hears any length.
    """

    name: str
    kind: Kind
    genome_kinds: frozenset[GenomeKind]
    licence: str
    sample_rate: int
    longest_seconds: float


ENTRIES = (
    Entry(
        name="soundfont",
        kind="generator",
        genome_kinds=frozenset({"text", "token_embeddings"}),
        licence="Apache-2.0; the default SoundFont, TimGM6mb by Tim Brechbill, GPL-2",
        sample_rate=32_000,
        longest_seconds=600.0,
    ),
    Entry(
        name="spectral",
        kind="encoder",
        genome_kinds=frozenset(),
        licence="Apache-2.0",
        sample_rate=44_100,
        longest_seconds=float("inf"),
    ),
)


def describe() -> tuple[Entry, ...]:
    """All there are, generators first. Loads nothing."""
    return ENTRIES


def generator(name: str, **parameters: Any) -> MusicGenerator:
    """The generator of this name and parameters, prepared; the same object every time in this process.

    Raises ValueError for a name that is not known (with those that are) or a parameter that it does not take.
    """
    instance: MusicGenerator = _prepared("generator", name, parameters)
    return instance


def encoder(name: str, **parameters: Any) -> AudioEncoder:
    """The encoder of this name, prepared; as `generator`."""
    instance: AudioEncoder = _prepared("encoder", name, parameters)
    return instance


def lexicon(name: str) -> Lexicon:
    """The words that the prompts of this generator are made of. Imports no torch."""
    _known("generator", name)
    # Every generator reads the words that the embedded one knows; those with a vocabulary of their own come here.
    from models_store.generators.soundfont.vocabulary import LEXICON

    return LEXICON


def vocabulary(name: str) -> TokenVocabulary | None:
    """The tokens of this generator, or None where it has none."""
    _known("generator", name)
    from models_store.generators.soundfont.tokens import SoundFontVocabulary

    return SoundFontVocabulary()


def forget() -> None:
    """Release every instance and drop it: the next call prepares it again."""
    with _guard:
        forgotten = [slot for slot in _slots.values() if slot.instance is not None]
        _slots.clear()
    for slot in forgotten:
        with slot.lock:
            slot.instance.release()


def _soundfont() -> type[Any]:
    from models_store.generators.soundfont.generator import SoundFontGenerator

    return SoundFontGenerator


def _spectral() -> type[Any]:
    from models_store.encoders.spectral import SpectralEncoder

    return SpectralEncoder


_classes: dict[tuple[Kind, str], Callable[[], type[Any]]] = {
    ("generator", "soundfont"): _soundfont,
    ("encoder", "spectral"): _spectral,
}


class _Slot:
    """The place of one instance; whoever comes while it is being prepared waits for it, and for nothing else."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.instance: Any = None


_guard = Lock()
_slots: dict[tuple[str, str, str], _Slot] = {}


def _prepared(kind: Kind, name: str, parameters: dict[str, Any]) -> Any:
    build = _classes[(kind, _known(kind, name))]
    key = (kind, name, json.dumps(parameters, sort_keys=True, default=str))
    with _guard:
        slot = _slots.setdefault(key, _Slot())
    with slot.lock:
        if slot.instance is None:
            instance = _built(build(), name, parameters)
            instance.prepare()
            slot.instance = instance
        return slot.instance


def _built(make: type[Any], name: str, parameters: dict[str, Any]) -> Any:
    try:
        inspect.signature(make).bind(**parameters)
    except TypeError as error:
        known = ", ".join(inspect.signature(make).parameters) or "none"
        raise ValueError(f"{name}: {error}; its parameters: {known}") from error
    return make(**parameters)


def _known(kind: Kind, name: str) -> str:
    names = [entry.name for entry in ENTRIES if entry.kind == kind]
    if name in names:
        return name
    raise ValueError(f"unknown {kind} {name!r}: expected one of {', '.join(names)}{_nearest(name, names)}")


def _nearest(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name).lower(), list(names), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""
