"""Reads for the API: what the pages know, with the API's own addresses."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.paginator import Paginator
from django.urls import reverse

from evolution.models import Experiment
from laboratory import experiments as making
from laboratory import outcomes, places, roster
from listening import selectors, taste_page
from listening.models import Listener, Playlist, Track

EXPERIMENTS_PER_PAGE = 50


def me(listener: Listener) -> dict[str, Any]:
    """Who listens, and how much was made and rated."""
    opinions = selectors.with_opinion(Track.objects.filter(listener=listener)).values_list("opinion", flat=True)
    said = list(opinions)
    return {
        "listener": listener.pk,
        "name": selectors.shown_name(listener),
        "run": listener.run_id,
        "status": listener.run.status,
        "counts": {
            "playlists": Playlist.objects.filter(listener=listener).count(),
            "tracks": len(said),
            "liked": said.count(1),
            "disliked": said.count(-1),
        },
    }


def playlists(listener: Listener, page: int) -> dict[str, Any]:
    """One page of the listener's playlists, the newest first."""
    chosen, found = selectors.history(listener, str(page))
    return {**_page(chosen), "playlists": [_readdressed(one) for one in found]}


def playlist(listener: Listener, playlist_id: uuid.UUID) -> dict[str, Any]:
    """A playlist of the listener. Raises Playlist.DoesNotExist for anybody else's."""
    return _readdressed(selectors.playlist_content(selectors.playlist(listener, playlist_id)))


def track(listener: Listener, track_id: uuid.UUID) -> dict[str, Any]:
    """A track of the listener. Raises Track.DoesNotExist for anybody else's, and for one that is in no playlist."""
    found = Playlist.objects.filter(places__track=selectors.track(listener, track_id)).first()
    if found is None:
        raise Track.DoesNotExist
    content = playlist(listener, found.pk)
    return {**next(one for one in content["tracks"] if one["id"] == str(track_id)), "playlist": found.pk}


def taste(listener: Listener) -> dict[str, Any]:
    """What is believed of the listener's taste, as their page tells it."""
    return taste_page.read(listener)


def experiments(*, search: str, page: int) -> dict[str, Any]:
    """One page of all experiments, the newest first."""
    chosen = Paginator(outcomes.experiments(search=search), EXPERIMENTS_PER_PAGE).get_page(page)
    return {**_page(chosen), "experiments": [_told(one) for one in chosen]}


def experiment(name: str, *, page: int) -> dict[str, Any]:
    """An experiment with its configuration and a page of its runs. Raises Experiment.DoesNotExist."""
    found = Experiment.objects.get(name=name)
    summary = next(one for one in outcomes.experiments(search=name) if one["experiment"].pk == found.pk)
    runs = roster.of(found, page=str(page))
    return {
        **_told(summary),
        "configuration": places.text(making.configuration(found)),
        "page": runs.number,
        "pages": runs.paginator.num_pages,
        "listed": [
            {
                "id": run.pk,
                "seed": run.seed,
                "status": run.status,
                "rounds_done": run.rounds_done,
                "generations": run.steps or 0,
                "best": run.best,
            }
            for run in runs
        ],
    }


def _told(summary: dict[str, Any]) -> dict[str, Any]:
    kept: Experiment = summary["experiment"]
    figures = {name: summary[name] for name in ("mode", "fitness", "runs", "best")}
    fields = ("name", "author", "note", "is_open", "created_at")
    return {name: getattr(kept, name) for name in fields} | figures


def _page(chosen: Any) -> dict[str, int]:
    return {"page": chosen.number, "pages": chosen.paginator.num_pages, "count": chosen.paginator.count}


def _readdressed(content: dict[str, Any]) -> dict[str, Any]:
    """A playlist of the pages with addresses that a token opens."""
    tracks = [
        {
            **one,
            "audio_url": reverse("api-v1:audio", args=[one["id"]]),
            "download_url": reverse("api-v1:download", args=[one["id"]]),
        }
        for one in content["tracks"]
    ]
    return {**content, "tracks": tracks}
