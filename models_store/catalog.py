"""Every generator and encoder by name, one prepared instance per process. Importing this imports no torch."""

from __future__ import annotations

import difflib
import inspect
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from models_store import instruments
from models_store.instruments import Entry, Kind

if TYPE_CHECKING:
    from models_store.encoders.base import AudioEncoder
    from models_store.generators.base import MusicGenerator, PromptSpace
    from models_store.prompts import Lexicon

MOST_HELD = 2
"""How many generators with weights, and encoders with weights, a process keeps: of a run, and of one before."""


def describe() -> tuple[Entry, ...]:
    """All there are, generators first. Loads nothing."""
    return instruments.ENTRIES


def generator(name: str, *, device: str | None = None, **parameters: Any) -> MusicGenerator:
    """The generator of this name and parameters, prepared; the same object every time, as long as it is held.

    device: where it runs; None: a GPU where there is one. What is embedded runs on the CPU.
    Raises ValueError for a name that is not known (with those that are), a parameter that it does not take, a device
    that is not here, or weights that are missing (models_store.weights.MissingWeightsError).
    """
    instance: MusicGenerator = _prepared("generator", name, device, parameters)
    return instance


def encoder(name: str, *, device: str | None = None, **parameters: Any) -> AudioEncoder:
    """The encoder of this name, prepared; as `generator`."""
    instance: AudioEncoder = _prepared("encoder", name, device, parameters)
    return instance


def build_generator(name: str, **parameters: Any) -> MusicGenerator:
    """One that nothing is loaded of yet, and that nobody else has: `prepare` it. Raises as `generator`."""
    _known("generator", name)
    made: MusicGenerator = _built(name, parameters)
    return made


def build_encoder(name: str, **parameters: Any) -> AudioEncoder:
    """The same for an encoder."""
    _known("encoder", name)
    made: AudioEncoder = _built(name, parameters)
    return made


def lexicon(name: str) -> Lexicon:
    """The words that the prompts of this generator are made of. Imports no torch."""
    _known("generator", name)
    # Every generator reads the words that the embedded one knows; those with a vocabulary of their own come here.
    from models_store.generators.soundfont.vocabulary import LEXICON

    return LEXICON


def prompt_space(name: str, *, input_type: str, model: str | None = None, **_: Any) -> PromptSpace | None:
    """How prompts become genomes of numbers for this generator: loaded once, and without the generator itself.

    What it loads is shared, what it remembers of prompts is not.

    input_type: "token_embeddings" (a TokenVocabulary), "embeddings" (what its text encoder makes), or "text" (None).
    model: as the generator's parameter; its other parameters may be given and do not matter.
    Raises ValueError for a kind that the generator does not play, and as `generator`.
    """
    entry = _known("generator", name)
    if input_type not in entry.genome_kinds:
        plays = " or ".join(sorted(entry.genome_kinds))
        raise ValueError(f"{name}: expected {plays}, which it plays, got {input_type}")
    return None if input_type == "text" else _space(name, input_type, model).fresh()


def forget() -> None:
    """Release every instance and drop it: the next call prepares it again."""
    with _guard:
        forgotten = list(_slots.values())
        _slots.clear()
    _space.cache_clear()
    for slot in forgotten:
        _release(slot)


@lru_cache(maxsize=4)
def _space(name: str, input_type: str, model: str | None) -> PromptSpace:
    match name, input_type:
        case "soundfont", _:
            from models_store.generators.soundfont.tokens import SoundFontVocabulary

            return SoundFontVocabulary()
        case "musicgen", "token_embeddings":
            from models_store.generators.musicgen import generator as musicgen

            return musicgen.vocabulary(model)
        case "musicgen", _:
            from models_store.generators.musicgen import generator as musicgen

            return musicgen.encoded_prompts(model)
        case "riffusion", "token_embeddings":
            from models_store.generators.riffusion import generator as riffusion

            return riffusion.vocabulary(model)
        case "riffusion", _:
            from models_store.generators.riffusion import generator as riffusion

            return riffusion.encoded_prompts(model)
    from models_store.generators import diffusion

    if input_type == "token_embeddings":
        return diffusion.vocabulary(name, model)
    return diffusion.encoded_prompts(name, model)


def _builder(name: str) -> Callable[..., Any]:
    """The class, or what stands for it, of an instrument; only now its packages are imported."""
    match name:
        case "soundfont":
            from models_store.generators.soundfont.generator import SoundFontGenerator

            return SoundFontGenerator
        case "musicgen":
            from models_store.generators.musicgen.generator import MusicGen

            return MusicGen
        case "riffusion":
            from models_store.generators.riffusion.generator import Riffusion

            return Riffusion
        case "spectral":
            from models_store.encoders.spectral import SpectralEncoder

            return SpectralEncoder
        case "mert":
            from models_store.encoders.mert import Mert

            return Mert
        case "clap":
            from models_store.encoders.clap import Clap

            return Clap
    from models_store.generators.diffusion import DiffusionGenerator

    return partial(DiffusionGenerator, name)


class _Slot:
    """The place of one instance; whoever comes while it is being prepared waits for it, and for nothing else."""

    def __init__(self, kind: Kind, *, weighs: bool) -> None:
        self.kind, self.weighs = kind, weighs
        self.lock = Lock()
        self.instance: Any = None


_guard = Lock()
_slots: OrderedDict[tuple[str, str, str], _Slot] = OrderedDict()


def _prepared(kind: Kind, name: str, device: str | None, parameters: dict[str, Any]) -> Any:
    entry = _known(kind, name)
    where = "cpu" if entry.embedded else _device(device)
    key = (kind, name, json.dumps([where, parameters], sort_keys=True, default=str))
    with _guard:
        slot = _slots.setdefault(key, _Slot(kind, weighs=not entry.embedded))
        _slots.move_to_end(key)
        too_many = _beyond_what_is_held(kind)
    for one in too_many:
        _release(one)
    with slot.lock:
        if slot.instance is None:
            instance = _built(name, parameters)
            instance.prepare(where)
            slot.instance = instance
        return slot.instance


def _device(wanted: str | None) -> str:
    from models_store import devices

    return str(devices.choose(wanted))


def _beyond_what_is_held(kind: Kind) -> list[_Slot]:
    """Take out those with weights that were asked for longest ago, so that MOST_HELD of a kind remain."""
    weighing = [key for key, slot in _slots.items() if slot.kind == kind and slot.weighs]
    return [_slots.pop(key) for key in weighing[:-MOST_HELD]]


def _release(slot: _Slot) -> None:
    with slot.lock:
        if slot.instance is not None:
            slot.instance.release()
            slot.instance = None


def _built(name: str, parameters: dict[str, Any]) -> Any:
    make = _builder(name)
    try:
        inspect.signature(make).bind(**parameters)
    except TypeError as error:
        known = ", ".join(inspect.signature(make).parameters) or "none"
        raise ValueError(f"{name}: {error}; its parameters: {known}") from error
    return make(**parameters)


def _known(kind: Kind, name: str) -> Entry:
    entry = instruments.find(kind, name)
    if entry is not None:
        return entry
    names = [entry.name for entry in instruments.ENTRIES if entry.kind == kind]
    raise ValueError(f"unknown {kind} {name!r}: expected one of {', '.join(names)}{_nearest(name, names)}")


def _nearest(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name).lower(), list(names), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""
