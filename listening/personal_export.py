"""Everything about a listener, as a ZIP file for them to keep: rows as JSON, ratings as a table, the music."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from django.utils.text import slugify

from evolution.models import Recording
from listening import belongings, pace, zip_streaming
from listening.belongings import BELONGINGS, LEFT_OUT, Belonging
from listening.models import Listener, Rating, Track
from listening.zip_streaming import Member

MOST_AN_HOUR = 6
"""Exports of one listener: each reads all that is theirs."""

RATING_COLUMNS = ("given_at", "value", "never", "seconds", "title", "prompt", "playlist", "track")
_SOUND_AT_ONCE = 256 * 1024  # bytes

README = """\
Everything that is kept about you here, as it was on {moment}.

ratings.csv     what you said of each track: 1 like, -1 dislike, 0 no opinion; the latest of a track counts
rows/*.json     every row that is yours, a file for each kind: a list of objects
music/          your tracks, where you asked for them; the number is that of the playlist and of the place in it

Bytes stand in the rows as base64. A table that is empty for you is an empty list.

Not in here: your password, of which only a hash is kept that nobody can read back; the secret part of your API tokens,
of which the same holds; who the other one of a duet is; and
{left_out}
"""


def admit(listener: Listener) -> None:
    """Count an export. Raises pace.TooOftenError when there were many within the hour."""
    message = "You took everything along several times in this hour. Try again a little later."
    pace.count(f"export:{listener.pk}", most=MOST_AN_HOUR, seconds=3600, message=message)


def archive(listener: Listener, *, music: bool = False) -> Iterator[bytes]:
    """The ZIP file in pieces; between two of them no query is open and no file. music: whether the sound comes too."""
    return zip_streaming.stream(_members(listener, music=music), moment=timezone.now())


def _members(listener: Listener, *, music: bool) -> Iterator[Member]:
    yield Member("README.txt", [_readme().encode()])
    yield Member("ratings.csv", _ratings(listener))
    for belonging in BELONGINGS:
        if belonging.model is not None:
            yield Member(f"rows/{belonging.label}.json", _rows(belonging, listener))
    if music:
        yield from _music(listener)


def _readme() -> str:
    moment = timezone.now().strftime("%d %B %Y, %H:%M UTC")
    left_out = "\n".join(f"  {label}: {reason}" for label, reason in LEFT_OUT.items())
    return README.format(moment=moment, left_out=left_out)


def _rows(belonging: Belonging, listener: Listener) -> Iterator[bytes]:
    """A JSON list, a line for each row."""
    yield b"["
    for number, row in enumerate(belongings.rows(belonging, listener)):
        text = json.dumps(row, cls=_Encoder, ensure_ascii=False)
        yield f"{',' if number else ''}\n{text}".encode()
    yield b"\n]\n"


def _ratings(listener: Listener) -> Iterator[bytes]:
    yield _line(RATING_COLUMNS)
    given = Rating.objects.filter(listener=listener).select_related("track__place__playlist").defer("track__embedding")
    last = None
    while some := list(_after(given, last)):
        for rating in some:
            place = getattr(rating.track, "place", None)
            playlist = "" if place is None else place.playlist.number
            said = (rating.given_at.isoformat(), rating.value, int(rating.never), rating.seconds)
            yield _line((*said, rating.track.title, rating.track.prompt, playlist, rating.track_id))
        last = some[-1].pk


def _after(rows: Any, last: Any) -> Any:
    return (rows if last is None else rows.filter(pk__gt=last)).order_by("pk")[:500]


def _line(cells: Iterable[object]) -> bytes:
    """A row of a table (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe."""
    text = io.StringIO()
    safe = [f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "@") else cell for cell in cells]
    csv.writer(text).writerow(safe)
    return text.getvalue().encode()


def _music(listener: Listener) -> Iterator[Member]:
    """Each track's file; one that storage has lost is passed over."""
    tracks = Track.objects.filter(listener=listener, place__isnull=False)
    ordered = tracks.order_by("place__playlist__number", "place__position")
    told = ordered.values_list("place__playlist__number", "place__position", "title", "recording__file")
    storage = Recording._meta.get_field("file").storage
    for playlist, position, title, name in list(told):
        extension = name.rsplit(".", 1)[-1]
        if storage.exists(name):
            called = f"music/{playlist:04d}-{position + 1:02d} {slugify(title) or 'track'}.{extension}"
            yield Member(called, _sound(storage, name), packed=False)


def _sound(storage: Any, name: str) -> Iterator[bytes]:
    with storage.open(name, "rb") as file:
        while piece := file.read(_SOUND_AT_ONCE):
            yield piece


class _Encoder(DjangoJSONEncoder):
    """Moments, ids, and vectors; bytes as base64."""

    def default(self, o: Any) -> Any:
        if isinstance(o, bytes | memoryview):
            return base64.b64encode(bytes(o)).decode()
        if isinstance(o, np.ndarray):
            return o.tolist()
        if hasattr(o, "to_list"):  # pgvector's own
            return o.to_list()
        return super().default(o)
