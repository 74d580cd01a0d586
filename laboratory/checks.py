"""Whether an experiment can be run here: what needs models, sound files or a language model to tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from evolution import config, generations, runs, targets
from evolution.config import Configuration, Fault
from evolution.search import build
from evolution.search.asking import LLMError
from evolution.search.prompt_writer import PromptWriter
from laboratory import sounding
from listening import profiles
from models_store import catalog, devices, instruments, weights
from models_store.aligner.model import AlignerV2


def check(configuration: Configuration, *, prompts: Sequence[str] = ()) -> None:
    """Look at everything that a run of synthetic listeners needs, but for what `config.check_files` looks at.

    prompts: the lines of its init_file.
    Raises evolution.config.ConfigurationError that tells all faults.
    """
    faults = [*sounding.faults(configuration), *_devices(configuration), *_target(configuration)]
    if not faults:
        faults += _weights(configuration)
    if not faults:
        faults += _listeners(configuration)
    if not faults:  # in this order: what costs a request comes last
        faults += _search(configuration, prompts)
    if faults:
        raise config.ConfigurationError(faults)


def _weights(configuration: Configuration) -> Iterator[Fault]:
    """The weights of generator and encoder are on this machine."""
    player = instruments.find("generator", configuration.music_model)
    ear = instruments.find("encoder", configuration.music_encoder)
    for entry, section, model in (
        (player, sounding.section_of_the_player(configuration), configuration.instrument.model),
        (ear, "encoder", configuration.encoder.model),
    ):
        if entry is None or entry.default_model is None:
            continue
        try:
            weights.locate(model or entry.default_model, entry.weights)
        except weights.MissingWeightsError as error:
            yield Fault.at((section, "model"), str(error))


def _devices(configuration: Configuration) -> Iterator[Fault]:
    for location, device in (
        (("evolution", "device"), configuration.evolution.device),
        ((sounding.section_of_the_player(configuration), "device"), configuration.instrument.device),
        (("encoder", "device"), configuration.encoder.device),
    ):
        try:
            devices.choose(device)
        except ValueError as error:
            yield Fault.at(location, str(error).removeprefix("device: "))


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
    played = runs.instruments_of(configuration)
    encoder = catalog.encoder(played.encoder, device=played.encoder_device, **played.encoder_parameters)
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
            space=generations.prompt_space(configuration),
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
