"""The lines of large text files: gzip or plain, UTF-8; what is something else is said so."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from tqdm import tqdm

_GZIP, _ZIP, _ZSTD = b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd"
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_LOOKED_AT = 4096
_TOLD_EVERY = 100_000  # lines


def lines(path: Path, *, progress: bool = False) -> Iterator[bytes]:
    """The lines of a file, each with its line feed, without a mark of UTF-8 before the first.

    Raises ValueError, with the path, for a file that is missing, empty, packed in another way, not text or UTF-16, and
    for gzip that is cut.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
            check_text(path, file.read(_LOOKED_AT))
            file.seek(0)
            with tqdm(
                total=path.stat().st_size, desc=path.name, unit="B", unit_scale=True, disable=not progress
            ) as bar:
                yield from _told(file, raw, bar)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: expected a whole text file, cannot read it: {error}") from error


def check_text(path: Path | str, beginning: bytes) -> None:
    """Raises ValueError unless this can be how a text file in UTF-8 begins."""
    if not beginning.strip():
        raise ValueError(f"{path}: expected lines of text, the file is empty")
    if beginning.startswith((_ZIP, _ZSTD)):
        raise ValueError(f"{path}: expected text, got an archive: unpack it first")
    if beginning.startswith(_UTF16_MARKS) or b"\0" in beginning:
        raise ValueError(f"{path}: expected text in UTF-8, got UTF-16 or no text at all")


def text(path: Path | str, content: bytes) -> str:
    """Bytes as text. Raises ValueError, with the path, for another encoding than UTF-8."""
    check_text(path, content[:_LOOKED_AT])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = content[error.start : error.start + 1].hex()
        raise ValueError(f"{path}: expected text in UTF-8, byte {error.start} is {found}, as in Latin-1") from error


def _told(file: BinaryIO, raw: BinaryIO, bar: tqdm[None]) -> Iterator[bytes]:
    for number, line in enumerate(file):
        if number % _TOLD_EVERY == 0:
            bar.update(raw.tell() - bar.n)
        yield line.removeprefix(_UTF8_MARK) if number == 0 else line
    bar.update(raw.tell() - bar.n)
