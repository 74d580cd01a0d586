"""Whether the generator and the encoder of a configuration can do what is asked of them. Loads nothing."""

from __future__ import annotations

from collections.abc import Iterator

from evolution.config import Configuration, Fault
from models_store import instruments
from models_store.instruments import Entry


def faults(configuration: Configuration) -> Iterator[Fault]:
    """A fault for every genome, length, rate of steps and model that they do not take."""
    player = instruments.find("generator", configuration.music_model)
    ear = instruments.find("encoder", configuration.music_encoder)
    if player is None:
        yield Fault.at(("music_model",), f"expected one of {_names('generator')}, got {configuration.music_model}")
    else:
        yield from _of_the_player(configuration, player)
    if ear is None:
        yield Fault.at(("music_encoder",), f"expected one of {_names('encoder')}, got {configuration.music_encoder}")


def section_of_the_player(configuration: Configuration) -> str:
    """The section that says how the generator in use is built."""
    return "riffusion_pipeline" if configuration.music_model == "riffusion" else "music_generator"


def _of_the_player(configuration: Configuration, player: Entry) -> Iterator[Fault]:
    section = section_of_the_player(configuration)
    if configuration.input_type not in player.genome_kinds:
        plays = " or ".join(sorted(player.genome_kinds))
        yield Fault.at(
            (section, "input_type"), f"expected {plays}, which {player.name} plays, got {configuration.input_type}"
        )
    steps = configuration.instrument.inference_steps
    if steps is not None and not player.steps and not player.embedded:
        yield Fault.at((section, "inference_steps"), f"expected none: {player.name} is no diffusion, got {steps}")
    for key in ("duration", "best_duration"):
        seconds = getattr(configuration.evolution, key)
        if seconds > player.longest_seconds:
            message = f"expected at most the {player.longest_seconds:g} s that {player.name} can play, got {seconds:g}"
            yield Fault.at(("evolution", key), message)


def _names(kind: str) -> str:
    return ", ".join(entry.name for entry in instruments.ENTRIES if entry.kind == kind)
