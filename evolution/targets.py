"""The music that a search can be told to come close to: checked, and kept under the hash of its content.

Plain soundfile and NumPy: the web process takes uploads and must not import torch.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from django.conf import settings

from evolution.takes import SoundFile

if TYPE_CHECKING:
    import soundfile

LARGEST_BYTES = 50 * 1024 * 1024
LONGEST_SECONDS = 600.0
SHORTEST_SECONDS = 1.0
MOST_CHANNELS = 8
SLOWEST_RATE, FASTEST_RATE = 1_000, 192_000  # Hz
MOST_SAMPLES = 600 * 48_000 * 4
"""Of all channels: what is decoded to look at a file. Compressed silence holds a thousand times more than its bytes."""

SILENT_PEAK = 1e-4  # -80 dBFS
FOLDER = "targets"
_READ_AT_ONCE = 1 << 20


class TargetError(ValueError):
    """A file that cannot be a target; the message says what was expected and what came."""


def keep(source: BinaryIO, *, name: str) -> Path:
    """Check a sound file and keep a copy under the media folder; the same content is kept once.

    source: at its beginning, opened for reading bytes. name: what people call it; its ending is kept.
    Returns the path of the copy. Raises TargetError for what is not 1 s to 10 minutes of audible sound within 50 MB,
    and for more channels or samples than music has.
    """
    folder = Path(settings.MEDIA_ROOT, FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    ending = "".join(one for one in PurePath(name).suffix.lower()[1:] if one.isalnum())[:5] or "audio"
    draft = folder / f"{uuid.uuid4().hex}.{ending}"  # with its ending: libsndfile goes by it too
    try:
        digest = _copy(source, draft, name=name)
        path = folder / f"{digest}.{ending}"
        if not path.is_file():
            check(draft, name=name)
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _copy(source: BinaryIO, to: Path, *, name: str) -> str:
    """Write the bytes of `source` to a file, piece by piece; gives the hash of them."""
    digest, size = blake2b(digest_size=20), 0
    with to.open("wb") as file:
        while piece := source.read(_READ_AT_ONCE):
            size += len(piece)
            if size > LARGEST_BYTES:
                raise TargetError(f"{name}: expected at most {LARGEST_BYTES // 2**20} MB, got more")
            digest.update(piece)
            file.write(piece)
    if not size:
        raise TargetError(f"{name}: expected a sound file, got an empty one")
    return digest.hexdigest()


def check(path: Path, *, name: str = "") -> float:
    """The seconds that a sound file lasts. Raises TargetError, with `name`, for one that cannot be a target."""
    name = name or str(path)
    with _opened(path, name) as file:
        _check_size(file, name)
        seconds = file.frames / file.samplerate
        if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
            raise TargetError(
                f"{name}: expected {SHORTEST_SECONDS:.0f} to {LONGEST_SECONDS:.0f} seconds of sound, got {seconds:.2f}"
            )
        peak, read = 0.0, 0
        for block in file.blocks(_READ_AT_ONCE // file.channels, dtype="float32", always_2d=True):
            if not np.isfinite(block).all():
                raise TargetError(f"{name}: expected finite samples, some are not numbers")
            peak, read = max(peak, float(np.abs(block).max(initial=0.0))), read + len(block)
        if read < SHORTEST_SECONDS * file.samplerate:  # a header can promise more than there is
            raise TargetError(f"{name}: expected {seconds:.1f} seconds of sound, the file breaks off")
    if peak < SILENT_PEAK:
        raise TargetError(f"{name}: expected audible sound, got silence")
    return seconds


def _check_size(file: soundfile.SoundFile, name: str) -> None:
    """Before anything is decoded: what the header promises. Raises TargetError."""
    if not 1 <= file.channels <= MOST_CHANNELS:
        raise TargetError(f"{name}: expected 1 to {MOST_CHANNELS} channels, got {file.channels}")
    if not SLOWEST_RATE <= file.samplerate <= FASTEST_RATE:
        raise TargetError(f"{name}: expected {SLOWEST_RATE} to {FASTEST_RATE} Hz, got {file.samplerate}")
    if file.frames <= LONGEST_SECONDS * file.samplerate and file.frames * file.channels > MOST_SAMPLES:
        raise TargetError(
            f"{name}: expected at most {MOST_SAMPLES:,} samples of all channels (10 minutes of four at 48 kHz), "
            f"got {file.frames * file.channels:,}"
        )


@contextmanager
def _opened(path: Path, name: str) -> Iterator[soundfile.SoundFile]:
    import soundfile  # only an upload needs it, and the web process shall stay small

    if not path.is_file():
        raise TargetError(f"{name}: expected a sound file, there is none")
    if path.stat().st_size > LARGEST_BYTES:
        raise TargetError(f"{name}: expected at most {LARGEST_BYTES // 2**20} MB, got more")
    try:
        with soundfile.SoundFile(path) as file:
            yield file
    except soundfile.LibsndfileError as error:  # its whole text would show where we keep files
        reason = error.error_string
    except (RuntimeError, OSError, TypeError):
        reason = "it is damaged"
    else:
        return
    raise TargetError(f"{name}: expected audio (WAV, FLAC, Ogg, MP3 ...), cannot read it: {reason}")


def sound_file(path: Path, *, window: float) -> SoundFile:
    """The file as something to be heard, in windows of so many seconds."""
    digest = blake2b(digest_size=20)
    with path.open("rb") as file:
        while piece := file.read(_READ_AT_ONCE):
            digest.update(piece)
    return SoundFile(path=path, digest=digest.hexdigest(), window=window)
