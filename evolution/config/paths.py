"""The files that a configuration points to: where they are, and whether they can be used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from evolution.config.faults import ConfigurationError, Fault, Location
from evolution.config.schema import AudioEncoder, Configuration, MusicGenerator

Weighted = TypeVar("Weighted", MusicGenerator, AudioEncoder)

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
"""No blanks, and nothing that ends a line."""


def resolved(configuration: Configuration, *, folders: Sequence[Path]) -> Configuration:
    """The configuration with absolute paths: each in the first of `folders` that has it, else in the first."""
    if not folders:
        raise ValueError("folders: expected at least one folder, got none")

    def absolute(path: str | None) -> str | None:
        if path is None:
            return None
        candidates = [(folder / Path(path).expanduser()).absolute() for folder in folders]
        return str(next((each for each in candidates if each.exists()), candidates[0]))

    def folder(section: Weighted) -> Weighted:
        """A model that is a folder; a name on the hub stays a name."""
        found = absolute(section.model)
        return section.model_copy(update={"model": found}) if found and Path(found).is_dir() else section

    evolution, user_model = configuration.evolution, configuration.user_model
    fitness = evolution.fitness.model_copy(update={"target_music": absolute(evolution.fitness.target_music)})
    aligner = user_model.aligner.model_copy(update={"abs_file_path": absolute(user_model.aligner.abs_file_path)})
    return configuration.model_copy(
        update={
            "music_generator": folder(configuration.music_generator),
            "riffusion_pipeline": folder(configuration.riffusion_pipeline),
            "encoder": folder(configuration.encoder),
            "user_model": user_model.model_copy(update={"aligner": aligner}),
            "evolution": evolution.model_copy(
                update={"init_file": absolute(evolution.init_file), "fitness": fitness},
            ),
        }
    )


def check_files(configuration: Configuration) -> None:
    """Look at the files that the configuration uses, as far as that needs no model.

    Raises ConfigurationError that tells all that are missing, unreadable, no text, empty or too short.
    """
    faults: list[Fault] = []
    evolution = configuration.evolution
    if evolution.initialization == "file" and evolution.init_file is not None:
        faults += _init_faults(("evolution", "init_file"), evolution.init_file, evolution.search.population_size)
    if evolution.fitness.mode == "music" and evolution.fitness.target_music is not None:
        faults += _missing(("evolution", "fitness", "target_music"), evolution.fitness.target_music, "an audio file")
    checkpoint = configuration.user_model.aligner.abs_file_path
    if checkpoint is not None:
        faults += _missing(("user_model", "aligner", "abs_file_path"), checkpoint, "a checkpoint")
    if faults:
        raise ConfigurationError(faults)


def read_prompts(path: Path | str) -> tuple[str, ...]:
    """The prompts of a file, one a line; blank lines and lines that begin with # are skipped.

    Raises ConfigurationError when it cannot be read, is not UTF-8 text, or has no prompt.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path}: expected a readable file of prompts ({error.strerror})") from None
    except UnicodeDecodeError:
        text = "\0"
    control = _CONTROL.search(text)
    if control and control[0] != "\0":
        line = text.count("\n", 0, control.start()) + 1
        raise ConfigurationError(f"{path}: expected plain text, got a control character on line {line}")
    if control:
        raise ConfigurationError(f"{path}: expected a text in UTF-8, one prompt a line, got something else")
    lines = (" ".join(line.split()) for line in text.splitlines())
    prompts = tuple(line for line in lines if line and not line.startswith("#"))
    if not prompts:
        raise ConfigurationError(f"{path}: expected one prompt a line, got none: the file is empty or all comments")
    return prompts


def _init_faults(location: Location, path: str, needed: int) -> list[Fault]:
    try:
        prompts = read_prompts(path)
    except ConfigurationError as error:
        return [Fault.at(location, str(error))]
    if len(prompts) >= needed:
        # As the search counts them: lines that differ in case only are one, and blanks are no difference already.
        different = len({prompt.casefold() for prompt in prompts})
        if different >= needed:
            return []
        message = f"{path}: expected at least {needed} different prompts, one for each candidate, got {different}"
        return [Fault.at(location, f"{message}, some of them repeated")]
    message = f"{path}: too short: expected at least {needed} prompts, one for each candidate, got {len(prompts)}"
    return [Fault.at(location, message)]


def _missing(location: Location, path: str, what: str) -> list[Fault]:
    if not Path(path).exists():
        return [Fault.at(location, f"expected {what}, got {path}, which does not exist")]
    if not Path(path).is_file():
        return [Fault.at(location, f"expected {what}, got {path}, which is no file")]
    try:
        with Path(path).open("rb") as opened:
            empty = not opened.read(1)
    except OSError as error:
        return [Fault.at(location, f"expected {what}, got {path}, which cannot be read ({error.strerror})")]
    return [Fault.at(location, f"expected {what}, got {path}, which is empty")] if empty else []
