"""Which files a configuration made in the panel may name, and the files that are uploaded for one.

A page's text names files by where they are in the project, `prompts/pool.txt`, or `uploads/<name>` for what was
uploaded; anything else would let a page read any file of the server. Experiments keep absolute paths.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path, PurePosixPath

import yaml
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from evolution import config, targets
from evolution.config import Configuration, Fault

FOLDERS = ("prompts", "examples", "aligner")
"""The project's own, which hold nothing secret."""

UPLOADS = "uploads"
PROMPTS_FOLDER = "init_files"
MOST_PROMPT_BYTES = 2 * 1024 * 1024

ALLOWED = "a file in " + ", ".join(f"{folder}/" for folder in FOLDERS) + f" or {UPLOADS}/"

LOCATIONS = (
    ("evolution", "init_file"),
    ("evolution", "fitness", "target_music"),
    ("user_model", "aligner", "abs_file_path"),
)


MODELS = (("music_generator", "model"), ("riffusion_pipeline", "model"), ("encoder", "model"))
"""What is fetched from the hub; a page may not name a folder."""

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


class UploadError(ValueError):
    """An upload that cannot be used; the message says what was expected and what came."""


def keep_target(upload: UploadedFile) -> str:
    """Keep an uploaded target_music; the name by which a configuration can say it.

    Raises evolution.targets.TargetError for what is not 1 s to 10 minutes of audible sound within 50 MB.
    """
    name = PurePosixPath(str(upload.name)).name
    upload.seek(0)
    try:
        return f"{UPLOADS}/{targets.keep(upload, name=name).name}"  # type: ignore[arg-type]
    except targets.TargetError as error:
        raise targets.TargetError(without_paths(str(error))) from error


def keep_prompts(content: bytes, *, name: str = "prompts") -> str:
    """Keep an uploaded or pasted init_file; the name by which a configuration can say it.

    Raises UploadError for what is not prompts in UTF-8, one a line, within 2 MB.
    """
    if len(content) > MOST_PROMPT_BYTES:
        raise UploadError(f"{name}: expected at most {MOST_PROMPT_BYTES // 2**20} MB of prompts, got more")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UploadError(f"{name}: expected a text in UTF-8, one prompt a line, got something else") from None
    path = _media(PROMPTS_FOLDER) / f"{blake2b(content, digest_size=20).hexdigest()}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    try:
        config.read_prompts(path)
    except config.ConfigurationError as error:
        path.unlink()
        raise UploadError(str(error).replace(str(path), name)) from None
    return f"{UPLOADS}/{path.name}"


def settled(configuration: Configuration) -> tuple[Configuration, list[Fault]]:
    """The configuration with absolute paths, and a fault for each that it may not name."""
    faults = []
    for location in LOCATIONS:
        given = _given(configuration, location)
        if given is None:
            continue
        path = _path(given)
        if path is None:
            faults.append(Fault.at(location, f"expected {ALLOWED}, got {given}"))
        else:
            configuration = _with(configuration, location, str(path))
    for location in MODELS:
        model = _given(configuration, location)
        if model is not None and not _on_the_hub(model):
            expected = "a name on the hub such as facebook/musicgen-small"
            faults.append(Fault.at(location, f"expected {expected}, got {model}"))
    return configuration, faults


def named(configuration: Configuration) -> Configuration:
    """The configuration as a page shows it: files by their names in the project, `settled` in reverse."""
    for location in LOCATIONS:
        given = _given(configuration, location)
        if given is not None:
            configuration = _with(configuration, location, _name(Path(given)))
    return configuration


def without_paths(message: str) -> str:
    """A message without the folders of this server."""
    kept = re.escape(f"{settings.MEDIA_ROOT}/")
    return re.sub(rf"{kept}[\w./-]*", "the file", message).replace(f"{settings.BASE_DIR}/", "")


def text(configuration: Configuration) -> str:
    """The configuration as YAML, its files by their names in the project; what has its default is left out."""
    told = named(configuration).model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=100) if told else ""


def cloned(configuration: Configuration, *, prompts: Sequence[str] = ()) -> tuple[str, list[str]]:
    """The text to begin with for an experiment after another one, and what had to be left out of it.

    prompts: those kept with the other one, which its init_file may have lost since, or have elsewhere.
    """
    notes = []
    evolution = configuration.evolution
    if prompts and evolution.init_file is not None and not _holds(evolution.init_file, prompts):
        try:
            kept = _path(keep_prompts("\n".join(prompts).encode()))
            configuration = _with(configuration, LOCATIONS[0], str(kept))
        except UploadError as error:
            notes.append(f"The prompts were left out: {error}.")
            configuration = _with(configuration, LOCATIONS[0], None)
    for location in LOCATIONS:
        given = _given(configuration, location)
        if given is not None and _path(given) is None:
            configuration = _with(configuration, location, None)
            notes.append(f"{'.'.join(location)} was left out: {Path(given).name} is not {ALLOWED}.")
    for location in MODELS:
        model = _given(configuration, location)
        if model is not None and not _on_the_hub(model):
            configuration = _with(configuration, location, None)
            notes.append(f"{'.'.join(location)} was left out: {Path(model).name} is a folder of this server.")
    return text(configuration), notes


def _holds(file: str, prompts: Sequence[str]) -> bool:
    """Whether a file that may be named still has these prompts."""
    if _path(file) is None:
        return False
    try:
        return config.read_prompts(file) == tuple(prompts)
    except config.ConfigurationError:
        return False


def _path(given: str) -> Path | None:
    """The file that is meant; None when it is none of those that may be named."""
    if "\0" in given:
        return None
    asked = PurePosixPath(given)
    if asked.parts[:1] == (UPLOADS,):
        folder = _media(PROMPTS_FOLDER if asked.suffix == ".txt" else targets.FOLDER)
        return folder / asked.name if len(asked.parts) == 2 else None
    path = Path(settings.BASE_DIR, given).resolve()
    homes = [Path(settings.BASE_DIR, folder) for folder in FOLDERS] + [_media(PROMPTS_FOLDER), _media(targets.FOLDER)]
    return path if any(path.is_relative_to(home.resolve()) for home in homes) else None


def _name(path: Path) -> str:
    for folder in (PROMPTS_FOLDER, targets.FOLDER):
        if path.parent == _media(folder):
            return f"{UPLOADS}/{path.name}"
    base = Path(settings.BASE_DIR)
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def _media(folder: str) -> Path:
    return Path(settings.MEDIA_ROOT, folder)


def _on_the_hub(model: str) -> bool:
    """Whether it is owner/name and nothing that a folder of this server would be taken for."""
    homes = (Path(settings.BASE_DIR), Path.cwd())
    return _HUB_NAME.fullmatch(model) is not None and not any((home / model).exists() for home in homes)


def _given(section: object, location: tuple[str, ...]) -> str | None:
    for key in location:
        section = getattr(section, key)
    return section if isinstance(section, str) else None


def _with(configuration: Configuration, location: tuple[str, ...], path: str | None) -> Configuration:
    sections = [configuration]
    for key in location[:-1]:
        sections.append(getattr(sections[-1], key))
    value: object = path
    for section, key in zip(reversed(sections), reversed(location), strict=True):
        value = section.model_copy(update={key: value})
    return value  # type: ignore[return-value]
