"""A ZIP file that is sent while it is written: nothing of it lies in memory or on a disk as a whole."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

PIECE = 256 * 1024
"""Bytes that are given at once, or a few more."""


@dataclass(frozen=True)
class Member:
    """A file of the archive. packed: whether it is worth compressing; music is compressed already."""

    name: str
    pieces: Iterable[bytes]
    packed: bool = True


def stream(members: Iterable[Member], *, moment: datetime) -> Iterator[bytes]:
    """The archive in pieces of about PIECE bytes. moment: what its files are dated, from the year 1980 on."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for member in members:
            entry = zipfile.ZipInfo(member.name, date_time=moment.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED if member.packed else zipfile.ZIP_STORED
            with archive.open(entry, "w", force_zip64=True) as file:
                for piece in member.pieces:
                    file.write(piece)
                    if sink.waiting >= PIECE:
                        yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """Where zipfile writes to: it can neither be sought in nor asked for its place, so the sizes follow the files."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    @property
    def waiting(self) -> int:
        """Bytes that were written and not taken yet."""
        return len(self._waiting)

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        before = len(self._waiting)
        self._waiting += memoryview(content)  # type: ignore[arg-type]
        return len(self._waiting) - before

    def take(self) -> bytes:
        """What was written since the last time."""
        taken, self._waiting = bytes(self._waiting), bytearray()
        return taken
