"""What a listener's token opens: playlists, tracks, ratings, the next round, the taste. Doors: one call each."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router
from ninja.responses import Status

from listening import cancelling, edits, feedback, listens, sound
from listening import selectors as pages
from public_api import opinions, said, selectors, told
from public_api.access import Bearer, listener_of
from public_api.fields import PAGE
from public_api.models import Token

FAULTS = {400: told.Fault, 401: told.Fault, 403: told.Fault, 404: told.Fault, 413: told.Fault, 429: told.Fault}
_PARTS = {
    "responses": {
        200: {"description": "The whole file", "content": {"audio/mpeg": {"schema": {"type": "string"}}}},
        206: {"description": "The part that was asked for", "content": {"audio/mpeg": {"schema": {"type": "string"}}}},
        416: {"description": "The part is not in the file"},
    },
    "parameters": [
        {
            "in": "header",
            "name": "Range",
            "required": False,
            "schema": {"type": "string", "pattern": "^bytes=[0-9]{1,6}-[0-9]{0,6}$"},
            "description": "One range of bytes, for example bytes=0-65535.",
        }
    ],
}
SOUND: dict[str, Any] = {"response": {200: None, **FAULTS}, "openapi_extra": _PARTS}
"""What doors that answer with a recording have in common."""

router = Router(auth=Bearer(Token.Scope.LISTEN), tags=["Listening"])


@router.get("/me", response={200: told.Me, **FAULTS}, url_name="me", summary="Who listens")
def me(request: HttpRequest):
    """The listener, their run, and how much was made and rated."""
    return selectors.me(listener_of(request))


@router.get("/playlists", response={200: told.Playlists, **FAULTS}, url_name="playlists", summary="All playlists")
def playlists(request: HttpRequest, page: int = PAGE):
    """A page of playlists with their tracks, the newest first; beyond the last page, the last one."""
    return selectors.playlists(listener_of(request), page)


@router.get(
    "/playlists/{uuid:playlist_id}",
    response={200: told.Playlist, **FAULTS},
    url_name="playlist",
    summary="One playlist",
)
def playlist(request: HttpRequest, playlist_id: uuid.UUID):
    """A playlist with its tracks."""
    return selectors.playlist(listener_of(request), playlist_id)


@router.get("/tracks/{uuid:track_id}", response={200: told.WholeTrack, **FAULTS}, url_name="track", summary="One track")
def track(request: HttpRequest, track_id: uuid.UUID):
    """A track with its waveform's outline."""
    return selectors.track(listener_of(request), track_id)


@router.get("/tracks/{uuid:track_id}/audio", url_name="audio", summary="Its sound", **SOUND)
def audio(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """The recording, whole or one range of its bytes."""
    return sound.answer(request, pages.track(listener_of(request), track_id), download=False)


@router.get("/tracks/{uuid:track_id}/download", url_name="download", summary="Its sound, to keep", **SOUND)
def download(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """The recording under the track's title."""
    return sound.answer(request, pages.track(listener_of(request), track_id), download=True)


@router.put(
    "/ratings/{uuid:rating_id}",
    response={200: told.RatingStored, 201: told.RatingStored, **FAULTS},
    url_name="rating",
    summary="Rate a track",
)
def rate(request: HttpRequest, rating_id: uuid.UUID, opinion: said.Opinion):
    """Store a rating under an id that the sender draws: 201, and 200 when it is there already.

    When enough of the newest playlist is rated, the next round begins by itself.
    """
    return Status(*opinions.store_one(listener_of(request), rating_id, opinion))


@router.post(
    "/ratings",
    response={200: told.RatingsStored, 201: told.RatingsStored, **FAULTS},
    url_name="ratings",
    summary="Rate several tracks",
)
def rate_many(request: HttpRequest, ratings: said.Opinions):
    """Store up to 100 ratings, all or none: 201 when one of them was new, else 200."""
    return Status(*opinions.store_many(listener_of(request), ratings))


@router.post(
    "/listens",
    response={200: told.ListensStored, 201: told.ListensStored, **FAULTS},
    url_name="listens",
    summary="Tell what was heard",
)
def listen(request: HttpRequest, hearings: said.Hearings):
    """Store up to 100 hearings, all or none: weak evidence beside ratings. Under a second is passed over."""
    heard = [opinions.hearing(one) for one in hearings]
    stored = listens.record(listener=listener_of(request), hearings=heard)
    return Status(201 if stored else 200, {"received": len(heard), "stored": len(stored)})


@router.post("/evolve", response={202: told.Evolving, **FAULTS}, url_name="evolve", summary="Ask for the next playlist")
def evolve(request: HttpRequest):
    """Begin a round; while one is being made, that one is told."""
    return Status(202, {"round": pages.round_state(feedback.evolve(listener=listener_of(request)))})


@router.get("/evolve", response={200: told.State, **FAULTS}, url_name="state", summary="How far it is")
def state(request: HttpRequest):
    """The latest round, the newest playlist, and how much of that is rated."""
    return pages.state(listener_of(request))


@router.delete("/evolve", response={200: told.Cancelled, **FAULTS}, url_name="cancel", summary="Call the round off")
def cancel(request: HttpRequest):
    """End the round that is being made; what was rated stays. `cancelled` is false when none is, or it is too late.

    After that none begins by itself: ask for it.
    """
    listener = listener_of(request)
    cancelled = cancelling.cancel(listener=listener)
    return {"cancelled": cancelled is not None, **pages.state(listener)}


@router.get("/taste", response={200: told.Taste, **FAULTS}, url_name="taste", summary="What is believed of the taste")
def taste(request: HttpRequest):
    """The beliefs with the tracks they are read from, and what is proved of the evolution so far."""
    listener = listener_of(request)
    edits.read_if_late(listener=listener)
    return selectors.taste(listener)
