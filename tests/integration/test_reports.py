"""What is believed of a taste, read by the conductor for the listener's page."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
import torch
from django.utils import timezone

from evolution.models import Evaluation
from listening import profiles, queue, reports
from listening.models import Listener, Rating, TasteEdit, TasteReport, Track

pytestmark = pytest.mark.django_db


@pytest.fixture
def rated(listener: Listener, make_playlist: Callable) -> tuple[Listener, str]:
    """A listener who likes the songs that have one concept and dislikes those that have not; and its name."""
    concepts = profiles.concepts_of(listener)
    assert concepts is not None
    index = concepts.names.index("bright")
    chosen = [*concepts.has[index].nonzero().flatten()[:12], *concepts.lacks[index].nonzero().flatten()[:12]]
    playlist = make_playlist(listener, tracks=len(chosen))
    for track, song in zip(
        Track.objects.filter(place__playlist=playlist).order_by("place__position"), chosen, strict=True
    ):
        heard = concepts.embeddings[song].float()
        Evaluation.objects.filter(pk=track.recording.evaluation_id).update(
            embedding=heard.numpy().tobytes(), layers=heard.shape[0], dim=heard.shape[1]
        )
        Rating.objects.create(
            id=uuid.uuid4(),
            listener=listener,
            track=track,
            value=1 if bool(concepts.has[index, song]) else -1,
            seconds=9.0,
            given_at=timezone.now(),
        )
    return listener, concepts.names[index]


def content(listener: Listener) -> dict:
    reports.make(listener.pk)
    return TasteReport.objects.get(listener=listener).content


def test_what_is_liked_is_told_in_words_with_the_songs_that_told_it(rated):
    listener, loved = rated
    told = content(listener)
    assert told["ratings"] == 24
    by_name = {one["name"]: one for one in told["concepts"]}
    assert by_name[loved]["lean"] > 0.3
    believed = {one["name"]: one for one in told["beliefs"]}
    assert loved in believed
    liked = {str(pk) for pk in Track.objects.filter(ratings__value=1).values_list("pk", flat=True)}
    assert set(believed[loved]["evidence"]) <= liked
    assert 1 <= len(believed[loved]["evidence"]) <= reports.MOST_EVIDENCE


def test_of_somebody_who_said_nothing_nothing_is_believed_but_every_slider_is_there(listener):
    told = content(listener)
    concepts = profiles.concepts_of(listener)
    assert told["beliefs"] == []
    assert [one["name"] for one in told["concepts"]] == list(concepts.names)
    assert len(told["landscape"]) == len(concepts.embeddings)


def test_a_wish_moves_the_slider_and_what_is_believed(rated):
    listener, loved = rated
    before = {one["name"]: one for one in content(listener)["concepts"]}[loved]
    TasteEdit.objects.create(listener=listener, concept=loved, kind="lean", wanted=-1.0)
    after = {one["name"]: one for one in content(listener)["concepts"]}[loved]
    assert before["edit"] is None
    assert after["edit"] == {"kind": "lean", "wanted": -1.0, "until": None}
    assert after["lean"] < before["lean"] - 0.2


def test_more_of_a_concept_means_more_of_it_among_the_best(listener):
    """The slider's promise: of 100 songs that could be played, more of the best 20 have what was asked for."""
    concepts = profiles.concepts_of(listener)
    index = concepts.names.index("bright")

    def share_of_best() -> float:
        taste = profiles.learner_of(listener).learn(profiles.memory(listener, until=timezone.now()), seed=1)
        best = taste.likeness(concepts.embeddings)[0].argsort(descending=True)[:20]
        return float(concepts.has[index][best].float().mean())

    TasteEdit.objects.create(listener=listener, concept=concepts.names[index], kind="lean", wanted=-1.0)
    with_less = share_of_best()
    TasteEdit.objects.create(listener=listener, concept=concepts.names[index], kind="lean", wanted=1.0)
    assert share_of_best() > with_less + 0.2


def test_a_report_that_was_begun_earlier_does_not_replace_a_later_one(listener):
    later = timezone.now() + timedelta(minutes=1)
    TasteReport.objects.create(listener=listener, content={"ratings": 7}, made_at=later)
    assert content(listener) == {"ratings": 7}


def test_a_report_that_did_not_come_is_asked_for_again(listener, monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr(queue, "enqueue_report", asked.append)
    long_ago = timezone.now() - timedelta(minutes=5)
    report = TasteReport.objects.create(listener=listener, made_at=long_ago, wanted_at=long_ago)
    reports.resume_lost()
    assert asked == []
    TasteReport.objects.filter(pk=report.pk).update(wanted_at=long_ago + timedelta(minutes=1))
    reports.resume_lost()
    assert asked == [listener.pk]


def test_the_taste_of_a_round_is_kept_whole_and_given_again_whatever_is_said_since(rated):
    from evolution.models import Round

    listener, _ = rated
    round_ = Round.objects.create(run=listener.run, number=2, generations_planned=1)
    learned = profiles.learn(listener, round_)
    songs = profiles.concepts_of(listener).embeddings[:50]
    Rating.objects.filter(listener=listener).update(value=-1)
    again, current = profiles.learn(listener, round_), profiles.current_taste(listener)
    for taste in (again, current):
        for kept, made in zip(taste.likeness(songs), learned.likeness(songs), strict=True):
            assert torch.equal(kept, made)


def test_nothing_is_reported_of_somebody_who_is_gone(db):
    reports.make(123456)
    assert not TasteReport.objects.exists()
