"""Whether an experiment can be run here: what needs models, sound files or a language model to tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from evolution import config, targets
from evolution.config import Configuration, Fault
from evolution.search import build
from evolution.search.asking import LLMError
from evolution.search.prompt_writer import PromptWriter
from listening import profiles
from models_store import catalog
from models_store.aligner.model import AlignerV2


def check(configuration: Configuration, *, prompts: Sequence[str] = ()) -> None:
    """Look at everything that a run of synthetic listeners needs, but for what `config.check_files` looks at.

    prompts: the lines of its init_file.
    Raises evolution.config.ConfigurationError that tells all faults.
    """
    faults = [*_instruments(configuration), *_devices(configuration), *_target(configuration)]
    if not faults:
        faults += _listeners(configuration)
    if not faults:  # in this order: what costs a request comes last
        faults += _search(configuration, prompts)
    if faults:
        raise config.ConfigurationError(faults)


def _instruments(configuration: Configuration) -> Iterator[Fault]:
    """Generator and encoder are here, and the generator plays what is asked of it."""
    known = {(entry.kind, entry.name): entry for entry in catalog.describe()}
    for key, kind, name in (
        ("music_model", "generator", configuration.music_model),
        ("music_encoder", "encoder", configuration.music_encoder),
    ):
        if (kind, name) not in known:
            here = ", ".join(entry.name for entry in catalog.describe() if entry.kind == kind)
            yield Fault.at((key,), f"expected one that is installed here ({here}), got {name!r}")
    entry = known.get(("generator", configuration.music_model))
    if entry is None:
        return
    if configuration.input_type not in entry.genome_kinds:
        section = "riffusion_pipeline" if configuration.music_model == "riffusion" else "music_generator"
        plays = " or ".join(sorted(entry.genome_kinds))
        yield Fault.at(
            (section, "input_type"), f"expected {plays}, which {entry.name} plays, got {configuration.input_type!r}"
        )
    for key, seconds in (
        ("duration", configuration.evolution.duration),
        ("best_duration", configuration.evolution.best_duration),
    ):
        if seconds > entry.longest_seconds:
            yield Fault.at(
                ("evolution", key),
                f"expected at most the {entry.longest_seconds:g} seconds that {entry.name} can play, got {seconds:g}",
            )


def _devices(configuration: Configuration) -> Iterator[Fault]:
    device = configuration.evolution.device
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[device.split(":")[0]]:
        yield Fault.at(("evolution", "device"), f"expected a device of this machine, got {device!r}, which it has not")


def _target(configuration: Configuration) -> Iterator[Fault]:
    fitness = configuration.evolution.fitness
    if fitness.mode == "music" and fitness.target_music is not None:
        try:
            targets.check(Path(fitness.target_music))
        except targets.TargetError as error:
            yield Fault.at(("evolution", "fitness", "target_music"), str(error))


def _listeners(configuration: Configuration) -> Iterator[Fault]:
    """The aligner loads and fits, and has the users that are asked for."""
    location = ("user_model", "aligner", "abs_file_path")
    try:
        aligner = profiles.configured_aligner(configuration)
        _fits(aligner, configuration)
    except ValueError as error:
        yield Fault.at(location, str(error))
        return
    users = aligner.config.users
    for place, user in enumerate(configuration.user_model.users):
        if user.user_type == "real":
            yield Fault.at(
                ("user_model", "users", place, "user_type"),
                "expected synth: people listen in the browser, so open the experiment to them in the panel; got 'real'",
            )
        elif user.target_user_id is not None and user.target_user_id >= users:
            yield Fault.at(
                ("user_model", "users", place, "target_user_id"),
                f"expected a reference listener of the aligner, 0 to {users - 1}, got {user.target_user_id}",
            )


def _fits(aligner: AlignerV2, configuration: Configuration) -> None:
    """Raises ValueError for somebody's aligner that was trained for another encoder."""
    if configuration.user_model.aligner.abs_file_path is None:
        return
    encoder = catalog.encoder(configuration.music_encoder)
    expected, got = (encoder.layers, encoder.dim), (aligner.config.layers, aligner.config.dim)
    if expected != got:
        raise ValueError(
            f"expected an aligner for {configuration.music_encoder}'s embeddings of {expected[0]} x {expected[1]}, "
            f"got one for {got[0]} x {got[1]}"
        )


def _search(configuration: Configuration, prompts: Sequence[str]) -> Iterator[Fault]:
    """The search can be built, and its language model answers."""
    try:
        writer = build.writer(configuration)
    except config.ConfigurationError as error:
        yield Fault.at(("evolution", "LLM", "api_key"), str(error))
        return
    except ValueError as error:
        yield Fault.at(("evolution", "LLM"), str(error))
        return
    try:
        build.searcher(
            configuration,
            seed=0,
            lexicon=catalog.lexicon(configuration.music_model),
            vocabulary=catalog.vocabulary(configuration.music_model),
            prompts=prompts,
            writer=writer,
        )
    except ValueError as error:
        yield Fault.at(("evolution", "search"), str(error))
        return
    if isinstance(writer, PromptWriter):
        try:
            writer.check()
        except LLMError as error:
            yield Fault.at(("evolution", "LLM"), str(error))
