"""A listener with a history, as rows: what rounds would have left, without waiting for them.

Run inside Django: `manage.py shell -c "from tests.journeys import taste_rows; taste_rows.make(count=3)"`.
"""

from __future__ import annotations

import json
import math
import random
import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.test import Client
from django.utils import timezone

from evolution.models import Recording
from listening import listeners
from listening.models import Listener, Playlist, PlaylistTrack, Rating, TasteReport, Track
from models_store.aligner import concept_words
from models_store.generators.soundfont import vocabulary

LIKED, UNWANTED = ("piano", "slow", "calm", "jazz"), ("techno", "distorted guitar")
TITLES = ("Sunday", "Dreamy", "Nostalgic", "Harbour", "Early", "Paper")
CHANCES = {PlaylistTrack.Role.EVOLVED: 0.75, PlaylistTrack.Role.CONTROL: 0.35}


def make(*, count: int) -> None:
    """`count` guests with a history of their own; prints the keys of their sessions, as a JSON list.

    They are played the recordings of whoever has any.
    """
    recordings = list(Recording.objects.exclude(tracks=None))
    keys = []
    for seed in range(count):
        listener = listeners.make_guest()
        history(listener, recordings, seed=seed)
        browser = Client()
        browser.force_login(listener.user)
        keys.append(browser.cookies[settings.SESSION_COOKIE_NAME].value)
    print(json.dumps(keys))  # noqa: T201


def history(listener: Listener, recordings: list[Recording], *, playlists: int = 6, tracks: int = 8, seed: int) -> None:
    """Rated playlists of these recordings, and a report on the taste."""
    rng = random.Random(seed)
    likings: dict[str, list[str]] = {name: [] for name in (*LIKED, *UNWANTED)}
    rated = 0
    for number in range(1, playlists + 1):
        playlist = Playlist.objects.create(listener=listener, number=number)
        for position in range(tracks):
            control = position == tracks - 1
            role = PlaylistTrack.Role.CONTROL if control else PlaylistTrack.Role.EVOLVED
            likes = rng.random() < CHANCES[role]
            name = rng.choice(LIKED if likes else UNWANTED)
            track = _track(listener, rng.choice(recordings), rng, name=name, likes=likes)
            likings[name].append(str(track.pk))
            chance = min(0.98, max(0.02, rng.gauss(CHANCES[role], 0.15)))
            PlaylistTrack.objects.create(
                playlist=playlist,
                track=track,
                position=position,
                role=role,
                predicted=2 * chance - 1,
                uncertainty=0.2,
                chance=chance,
            )
            if rng.random() < 0.85 or number < playlists:
                _rate(track, 1 if likes else -1)
                rated += 1
    TasteReport.objects.update_or_create(
        listener=listener,
        defaults={"content": _report(rng, likings, rated), "made_at": timezone.now(), "wanted_at": None},
    )


def _track(listener: Listener, recording: Any, rng: random.Random, *, name: str, likes: bool) -> Track:
    angle, far = (rng.gauss(0.6, 0.5), rng.gauss(0.6, 0.2)) if likes else (rng.gauss(3.6, 0.6), rng.gauss(0.6, 0.2))
    return Track.objects.create(
        listener=listener,
        recording=recording,
        title=f"{rng.choice(TITLES)} {name}, no. {rng.randrange(2, 99)}",
        prompt=f"{name}, {rng.choice(('slow', 'upbeat'))}, {rng.choice(('at night', 'by the sea'))}",
        embedding=[1.0, 0.0],
        map_x=far * math.cos(angle),
        map_y=far * math.sin(angle),
    )


def _rate(track: Track, value: int) -> None:
    moment = timezone.now() - timedelta(seconds=5)
    Rating.objects.create(
        id=uuid.uuid4(), listener=track.listener, track=track, value=value, seconds=8, given_at=moment
    )


def _report(rng: random.Random, likings: dict[str, list[str]], rated: int) -> dict[str, Any]:
    """As `listening.reports` writes it."""
    concepts = [_concept(name, slot, rng) for name, slot in _names().items()]
    told = sorted((one for one in concepts if one["name"] in likings), key=lambda one: -abs(one["lean"]))
    landscape = [[rng.gauss(0, 0.5), rng.gauss(0, 0.45)] for _ in range(300)]
    return {
        "ratings": rated,
        "learner": "bayes",
        "beliefs": [
            {**{key: value for key, value in one.items() if key != "edit"}, "evidence": likings[one["name"]][:4]}
            for one in told
        ],
        "concepts": concepts,
        "landscape": [[x, y, math.tanh(1.2 * (x + 0.6 * y) + rng.gauss(0, 0.2))] for x, y in landscape],
    }


def _names() -> dict[str, str]:
    """What listeners call music: concept -> slot."""
    said = {
        concept_words.concept(slot, word): slot
        for slot in concept_words.SLOTS[:-1]
        for word in vocabulary.LEXICON[slot]
    }
    return {
        **{name: slot for name, slot in said.items() if name is not None},
        **{name: "sound" for pair in concept_words.HEARD.values() for name in pair},
    }


def _concept(name: str, slot: str, rng: random.Random) -> dict[str, Any]:
    lean, sure = rng.gauss(0, 0.06), rng.uniform(0.5, 0.7)
    if name in LIKED:
        lean, sure = 0.25 + 0.12 * LIKED[::-1].index(name), rng.uniform(0.86, 0.99)
    elif name in UNWANTED:
        lean, sure = -0.5 + 0.2 * UNWANTED.index(name), rng.uniform(0.8, 0.97)
    return {"name": name, "slot": slot, "lean": lean, "spread": 0.5 * (1 - sure) + 0.05, "sure": sure, "edit": None}
