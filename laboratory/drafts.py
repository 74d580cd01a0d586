"""The text of an experiment to be: checked line by line, and changed where an upload or a secret makes it necessary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from django.conf import settings

from evolution import config, targets
from evolution.config import Configuration, ConfigurationError, Fault, redaction, yaml_lines
from evolution.search import reach
from laboratory import places, sounding
from models_store.generators.soundfont import reading
from models_store.generators.soundfont.vocabulary import PAD, TOKENS

EXAMPLES = "examples"

POOL = "prompts/pool.txt"
"""With the prompts of an experiment, it tells a search in a subspace how genomes differ."""

_SMALLEST_SHARE = 1e-10
"""Of the largest variance: less is a rounding error, here and in evolution.search.subspace."""


@dataclass(frozen=True)
class Example:
    """A file of examples/. head: its first comment lines, which say what it is for."""

    name: str
    head: str
    text: str


@dataclass(frozen=True)
class Line:
    """A line of a text, from 1, and what is wrong with it."""

    number: int
    text: str
    faults: list[Fault] = field(default_factory=list)


def examples() -> list[Example]:
    """The files of examples/, by name."""
    return [_example(path) for path in sorted(Path(settings.BASE_DIR, EXAMPLES).glob("*.yaml"))]


def example(name: str) -> Example | None:
    """The example of this name; None when there is none."""
    return next((each for each in examples() if each.name == name), None)


def check(text: str) -> Configuration:
    """The configuration that a page's text describes, its paths absolute.

    Raises ConfigurationError with every fault and its line: of the schema, of the files it names (which ones a page
    may name is in `places`), and of what the generator and the encoder can do.
    """
    configuration = config.parse_text(text, allow_literal_secrets=False)
    settled, faults = places.settled(configuration)
    faults += [*sounding.faults(settled), *_reach_faults(settled)]
    if not faults:
        faults += _file_faults(settled)
    if not faults:
        faults += _space_faults(settled)
    if faults:
        document = yaml_lines.read(text)
        raise ConfigurationError([fault.on(_line(document, fault)) for fault in faults])
    return settled


def prompts(configuration: Configuration) -> tuple[str, ...]:
    """The lines of the init_file of a configuration that was checked; none when it starts from something else."""
    start = configuration.evolution
    return config.read_prompts(start.init_file) if start.initialization == "file" and start.init_file else ()


def listing(text: str, faults: tuple[Fault, ...]) -> list[Line]:
    """The lines of a text with their faults; those without a line stand at the first."""
    lines = [Line(number, line) for number, line in enumerate(text.splitlines() or [""], start=1)]
    for fault in faults:
        lines[min(max(fault.line or 1, 1), len(lines)) - 1].faults.append(fault)
    return lines


def with_target(text: str, name: str) -> str:
    """The text with `target_music: name`, in its place when it has one, else under `fitness`, else at the end."""
    return _with_value(
        text, "target_music", name, section="fitness", otherwise=f"fitness:\n  mode: music\n  target_music: {name}\n"
    )


def with_prompts(text: str, name: str) -> str:
    """The text with `initialization: file` and `init_file: name`, under `evolution`."""
    text = _with_value(text, "init_file", name, section="evolution", otherwise=f"evolution:\n  init_file: {name}\n")
    return _with_value(text, "initialization", "file", section="evolution", otherwise="")


def without_secrets(text: str) -> tuple[str, bool]:
    """The text with references where a secret was written out, and whether there was one: no page shows it again."""
    return redaction.redacted(text)


def warnings(configuration: Configuration) -> list[str]:
    """What does not make the configuration wrong, but may keep it from running here."""
    told = []
    for section, key in ((configuration.evolution.LLM, "api_key"), (configuration.evolution.logger, "wandb_token")):
        reference = getattr(section, key, None)
        if reference is None:
            continue
        try:
            config.secrets.resolve(reference)
        except ConfigurationError:
            told.append(f"{reference} is not set here: set it in the environment of the site and of its workers.")
    if not configuration.evolution.logger.delete_generated:
        told.append(
            "logger.delete_generated is false, but only manage.py evolve keeps the sound of candidates: runs that are "
            "begun here keep none."
        )
    return told


def _example(path: Path) -> Example:
    text = path.read_text(encoding="utf-8")
    head = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        head.append(line.lstrip("# ").rstrip())
    return Example(name=path.stem, head=" ".join(head).strip(), text=text)


def _file_faults(configuration: Configuration) -> list[Fault]:
    try:
        config.check_files(configuration)
    except ConfigurationError as error:
        return [replace(fault, message=places.without_paths(fault.message)) for fault in error.faults]
    if configuration.user_model.aligner.abs_file_path is None and not _shipped(configuration).is_file():
        message = f"expected an aligner for {configuration.music_encoder}, of which none is here: see docs/neural.md"
        return [Fault.at(("user_model", "aligner", "abs_file_path"), message)]
    target = configuration.evolution.fitness.target_music
    if configuration.evolution.fitness.mode == "music" and target is not None:
        try:
            targets.check(Path(target), name=Path(target).name)
        except targets.TargetError as error:
            return [Fault.at(("evolution", "fitness", "target_music"), places.without_paths(str(error)))]
    return []


def _reach_faults(configuration: Configuration) -> Iterator[Fault]:
    """A language model whom this site does not ask; a name that leads where it should not is told when it is asked."""
    model = configuration.evolution.LLM
    if model is not None:
        parts = urlsplit(model.api_uri.strip())
        try:
            reach.check_name(parts.hostname or "", parts.port)
        except reach.OutOfReachError as error:
            yield Fault.at(("evolution", "LLM", "api_uri"), str(error))


def _shipped(configuration: Configuration) -> Path:
    """Where the aligner for the encoder is when none is named; looked up without torch."""
    return Path(settings.BASE_DIR, "aligner", f"{configuration.music_encoder}.pt")


def _space_faults(configuration: Configuration) -> Iterator[Fault]:
    """More directions than the search will find."""
    wanted, length = configuration.evolution.search.subspace, configuration.evolution.max_seq_len
    if wanted is None or configuration.music_model != config.EMBEDDED_GENERATOR:
        return
    possible = _directions((*prompts(configuration), *config.read_prompts(Path(settings.BASE_DIR, POOL))), length)
    if wanted > possible:
        message = f"expected at most {possible}, the number of directions in which prompts differ, got {wanted}"
        yield Fault.at(("evolution", "search", "subspace"), message)


def _directions(pool: Sequence[str], length: int) -> int:
    """In how many directions the embedded prompts differ: as evolution.search.subspace counts them, without torch."""
    rows = [(*reading.tokens(prompt)[:length], *[PAD] * length)[:length] for prompt in pool]
    said = {token.text: token.embedding for token in TOKENS}
    # A position at which all say the same, such as the padding of a long genome, adds none.
    differing = [position for position in zip(*rows, strict=True) if len(set(position)) > 1]
    if not differing:
        return 0
    embedded = np.concatenate([np.array([said[token] for token in position]) for position in differing], axis=1)
    centred = embedded - embedded.mean(axis=0)  # [P, positions * dim]
    values = np.linalg.eigvalsh(centred.T @ centred)
    return int((values > values[-1] * _SMALLEST_SHARE).sum())


def _line(document: yaml_lines.Document, fault: Fault) -> int:
    """The line of the fault's key, which may stand at the top of the text without the sections above it."""
    for start in range(len(fault.location)):
        if fault.location[start:] in document.lines:
            return document.lines[fault.location[start:]]
    return document.line_of(fault.location)


def _with_value(text: str, key: str, value: str, *, section: str, otherwise: str) -> str:
    there = re.compile(rf"^(?P<head>[ ]*{key}:)[ \t]*(?:[^#\n]*?)(?P<tail>[ \t]*(?:#[^\n]*)?)$", re.MULTILINE)
    if there.search(text):
        return there.sub(lambda match: f"{match['head']} {value}{match['tail']}", text, count=1)
    above = re.compile(rf"^(?P<indent>[ ]*){section}:[ \t]*(?:#[^\n]*)?$", re.MULTILINE)
    match = above.search(text)
    if match is None:
        return f"{text.rstrip()}\n{otherwise}".lstrip() if otherwise else text
    below = re.search(r"\n([ ]+)\S", text[match.end() :])
    indent = below[1] if below and len(below[1]) > len(match["indent"]) else match["indent"] + "  "
    return f"{text[: match.end()]}\n{indent}{key}: {value}{text[match.end() :]}"
