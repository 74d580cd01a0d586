"""Audio over HTTP, with byte ranges (RFC 9110, section 14), so that a browser can seek."""

from __future__ import annotations

import re

from django.db.models.fields.files import FieldFile
from django.http import HttpRequest, HttpResponse
from django.utils.text import slugify

from listening.models import Track

TYPES = {"mp3": "audio/mpeg", "ogg": "audio/ogg", "flac": "audio/flac", "wav": "audio/wav"}
ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
UNSATISFIABLE = 416


def answer(request: HttpRequest, track: Track, *, download: bool) -> HttpResponse:
    """The track's file or the part that was asked for; for its listener alone to keep."""
    file = track.recording.file
    extension = str(file.name).rsplit(".", 1)[-1]
    kind = TYPES.get(extension, "application/octet-stream")
    size = file.size
    asked = ONE_RANGE.fullmatch(request.headers.get("Range", ""))
    if asked and (asked[1] or asked[2]):
        response = _part(file, asked[1], asked[2], size=size, kind=kind)
    else:
        with file.open("rb") as content:
            response = HttpResponse(content.read(), content_type=kind)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    if download:
        name = f"{slugify(track.title) or 'track'}.{extension}"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _part(file: FieldFile, first: str, last: str, *, size: int, kind: str) -> HttpResponse:
    if first:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    else:  # the last so many bytes
        start, end = max(0, size - int(last)), size - 1
    if start >= size or start > end:
        return HttpResponse(status=UNSATISFIABLE, headers={"Content-Range": f"bytes */{size}"})
    with file.open("rb") as content:
        content.seek(start)
        response = HttpResponse(content.read(end - start + 1), status=206, content_type=kind)
    response.headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return response
