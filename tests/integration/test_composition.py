"""Whole playlists by real workers: what was evolved, what is asked, the control and the repeat."""

from __future__ import annotations

import itertools
import time
import uuid

import pytest
import torch
from django.utils import timezone

from evolution import generations
from evolution.models import Candidate, Round
from listening import controls, feedback, listeners, playlists, profiles, selectors
from listening.feedback import Opinion
from listening.models import Playlist, Track
from listening.picks import Role
from models_store.taste import curation

pytestmark = pytest.mark.django_db(transaction=True)

LENGTH = 6
SMALL = {
    "user_model": {"best_solutions": LENGTH, "proof": True, "train_conf": {"learner": "bayes"}},
    "evolution": {
        "generations": 1,
        "duration": 1.0,
        "best_duration": 2.0,
        "search": {"population_size": 10, "elites": 0.2, "novel_prompts": 0.3},
    },
}


@pytest.fixture(autouse=True)
def small(settings, monkeypatch):
    settings.LISTENING_CONFIGURATION = SMALL
    monkeypatch.setattr(controls, "ONE_REPEAT_IN", 1)  # in every playlist for which there is something to repeat


def next_playlist(listener):
    round_ = feedback.evolve(listener=listener)
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up:
        round_.refresh_from_db()
        if round_.status not in Round.PENDING:
            break
        time.sleep(0.05)
    assert round_.status == Round.Status.DONE, round_.message
    playlist = Playlist.objects.get(round=round_)
    for place in playlist.places.select_related("track"):
        say(listener, place.track, 1 if place.position % 2 else -1, never=place.position == 0)
    return playlist


def say(listener, track, value, *, never=False):
    opinion = Opinion(id=uuid.uuid4(), track=track.pk, value=value, never=never, seconds=2.0, given_at=timezone.now())
    feedback.record(listener=listener, opinion=opinion)


def short_sounds(listener):
    """Where every candidate lies that the listener was played, by track."""
    tracks = Track.objects.filter(listener=listener).exclude(candidate=None).select_related("candidate__evaluation")
    rows = generations.heard([track.candidate.evaluation for track in tracks])
    places = profiles.aligner_of(listener).standardise(rows.embeddings).flatten(1)
    return dict(zip((track.pk for track in tracks), places, strict=True))


def test_playlists_of_a_person_keep_what_is_promised_of_them(workers):
    other, listener = listeners.make_guest(), listeners.make_guest()
    for _ in range(2):
        next_playlist(other)
    made = [next_playlist(listener) for _ in range(3)]

    roles = [[place.role for place in playlist.places.all()] for playlist in made]
    assert [playlist.number for playlist in made] == [1, 2, 3]
    assert all(len(one) == LENGTH for one in roles)
    assert set(roles[0]) == {Role.ASKED}
    assert [one.count(Role.CONTROL) for one in roles] == [0, 1, 1]
    assert [one.count(Role.REPEAT) for one in roles] == [0, 0, 1]
    assert all(one.count(Role.EVOLVED) >= one.count(Role.ASKED) for one in roles[1:])

    places = [place for playlist in made for place in playlist.places.select_related("track__candidate")]
    assert all(0.0 < place.chance < 1.0 for place in places)
    assert all(place.track.map_x is not None for place in places)
    own = set(Candidate.objects.filter(generation__round__run=listener.run).values_list("pk", flat=True))
    for place in places:
        assert (place.role == Role.REPEAT) == (place.track.repeats_id is not None)
        assert place.role == Role.REPEAT or (place.role == Role.CONTROL) == (place.track.candidate_id not in own)
    strangers = {place.track.recording_id for place in places if place.role == Role.CONTROL}
    assert strangers & set(Track.objects.filter(listener=other).values_list("recording", flat=True))

    fresh = [place.track.recording_id for place in places if place.role != Role.REPEAT]
    assert len(fresh) == len(set(fresh))
    known = short_sounds(listener)
    first_time = [known[place.track_id] for place in places if place.role != Role.REPEAT and place.track_id in known]
    near = curation.NEAR_COPY * curation.unrelated(profiles.aligner_of(listener))
    assert (
        min(float(torch.dist(one, two)) for one, two in itertools.combinations(first_time[LENGTH:], 2)) >= near * 0.99
    )

    again = Playlist.objects.get(pk=made[-1].pk).round
    assert playlists.compose(listener, again, profiles.learn(listener, again)) == made[-1]
    assert Playlist.objects.filter(listener=listener).count() == 3

    refused = {place.track.prompt for place in made[0].places.filter(position=0).select_related("track")}
    assert not refused & set(
        Track.objects.filter(listener=listener, place__playlist=made[2]).values_list("prompt", flat=True)
    )
    content = str(selectors.playlist_content(made[2])) + str(selectors.state(listener))
    assert not [role for role in Role.values if f"'{role}'" in content]
