from __future__ import annotations

import io
import random
import zipfile
from datetime import UTC, datetime

from listening import zip_streaming
from listening.zip_streaming import PIECE, Member

MOMENT = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


def noise(size: int) -> bytes:
    return random.Random(0).randbytes(size)


def unpacked(pieces) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(pieces)))


def test_what_comes_out_of_the_archive_is_what_went_in():
    sound = noise(3 * PIECE)
    members = [
        Member("a/words.txt", [b"one ", b"two"]),
        Member("empty.json", []),
        Member("sound.mp3", [sound], packed=False),
    ]
    archive = unpacked(zip_streaming.stream(members, moment=MOMENT))
    assert archive.testzip() is None
    assert archive.namelist() == ["a/words.txt", "empty.json", "sound.mp3"]
    assert archive.read("a/words.txt") == b"one two"
    assert archive.read("empty.json") == b""
    assert archive.read("sound.mp3") == sound
    assert archive.getinfo("a/words.txt").date_time == (2026, 5, 4, 12, 30, 0)


def test_a_member_is_read_only_when_its_turn_has_come():
    read = []

    def slowly(name: str):
        for _ in range(4):
            read.append(name)
            yield noise(PIECE)

    members = [Member("first", slowly("first"), packed=False), Member("second", slowly("second"), packed=False)]
    pieces = zip_streaming.stream(members, moment=MOMENT)
    assert read == []
    first = next(pieces)
    assert read == ["first"]
    assert PIECE <= len(first) < 2 * PIECE
    rest = list(pieces)
    assert unpacked([first, *rest]).testzip() is None
    assert max(map(len, rest)) < 2 * PIECE


def test_the_moment_and_the_members_alone_make_the_archive():
    def once():
        return b"".join(zip_streaming.stream([Member("a", [b"x" * 1000])], moment=MOMENT))

    assert once() == once()
