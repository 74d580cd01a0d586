"""What a taste is learned from: ratings, hearings without one, and what was asked for in words."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from listening import evidence, profiles, selectors
from listening.models import Listen, Listener, Rating, TasteEdit, Track
from models_store.aligner.model import AlignerConfig, AlignerV2
from models_store.taste.memory import Memory

pytestmark = pytest.mark.django_db

MODEL = AlignerV2(AlignerConfig(users=4, layers=2, dim=2), seed=1).eval()


@pytest.fixture
def tracks(listener: Listener, make_playlist: Callable) -> list[Track]:
    playlist = make_playlist(listener)
    return list(Track.objects.filter(place__playlist=playlist).order_by("place__position"))


def rate(track: Track, value: int, *, never: bool = False) -> None:
    Rating.objects.create(
        id=uuid.uuid4(),
        listener=track.listener,
        track=track,
        value=value,
        never=never,
        seconds=3.0,
        given_at=timezone.now(),
    )


def hear(track: Track, ending: str, *, seconds: float) -> None:
    Listen.objects.create(
        id=uuid.uuid4(),
        listener=track.listener,
        track=track,
        seconds=seconds,
        ending=ending,
        given_at=timezone.now(),
    )


def known(listener: Listener, *, rounds: int | None = None) -> Memory:
    return evidence.memory(evidence.tracks(listener, until=timezone.now()), MODEL, rounds=rounds)


def said(listener: Listener) -> list[tuple[int, float]]:
    memory = known(listener)
    pairs = zip(memory.ratings.tolist(), memory.weights.tolist(), strict=True)
    return [(rating, round(weight, 3)) for rating, weight in pairs]


def test_a_listener_who_said_nothing_has_an_empty_memory(listener, tracks):
    assert len(known(listener)) == 0


def test_never_again_weighs_more_than_a_dislike_and_the_latest_word_counts(listener, tracks):
    rate(tracks[0], 1)
    rate(tracks[1], -1)
    rate(tracks[2], 1)
    rate(tracks[2], -1, never=True)
    rate(tracks[3], -1, never=True)
    rate(tracks[3], 0)
    assert said(listener) == [(1, 1.0), (-1, 1.0), (-1, evidence.NEVER_AGAIN)]


def test_a_skip_says_little_and_the_less_the_later_it_comes(listener, tracks):
    seconds = tracks[0].recording.seconds
    hear(tracks[0], "skipped", seconds=0.0)
    hear(tracks[1], "skipped", seconds=0.5 * seconds)
    hear(tracks[2], "finished", seconds=seconds)
    hear(tracks[3], "left", seconds=2.0)
    assert said(listener) == [(-1, evidence.SKIPPED), (-1, evidence.SKIPPED / 2), (1, evidence.FINISHED)]


def test_a_rating_outweighs_how_the_hearing_ended(listener, tracks):
    hear(tracks[0], "skipped", seconds=1.0)
    rate(tracks[0], 1)
    hear(tracks[1], "finished", seconds=12.0)
    rate(tracks[1], 1)
    rate(tracks[1], 0)  # taken back: no opinion, and that was meant
    assert said(listener) == [(1, 1.0)]


def test_what_is_forgotten_teaches_nothing_from_then_on(listener, tracks):
    rate(tracks[0], 1)
    rate(tracks[1], -1)
    before = timezone.now()
    Track.objects.filter(pk=tracks[1].pk).update(forgotten_at=timezone.now())
    assert said(listener) == [(1, 1.0)]
    assert len(evidence.tracks(listener, until=before)) == 2


def test_only_the_last_rounds_count_when_so_many_are_asked_for(listener, tracks, make_playlist):
    rate(tracks[0], 1)
    later = make_playlist(listener, number=2)
    for track in Track.objects.filter(place__playlist=later):
        rate(track, -1)
    assert len(known(listener)) == 5
    assert known(listener, rounds=1).ratings.tolist() == [-1] * 4


def test_nobody_else_s_words_count(listener, other_listener, make_playlist):
    for track in Track.objects.filter(place__playlist=make_playlist(other_listener)):
        rate(track, 1)
    assert len(known(listener)) == 0


def ask(listener: Listener, concept: str, kind: str, wanted: float = 0.0, *, hours: float | None = None) -> None:
    until = None if hours is None else timezone.now() + timedelta(hours=hours)
    TasteEdit.objects.create(listener=listener, concept=concept, kind=kind, wanted=wanted, until=until)


def asked(listener: Listener, *, in_hours: float = 0.0) -> list[tuple[str, str, float]]:
    moment = timezone.now() + timedelta(hours=in_hours)
    return [(one.concept, one.kind, one.wanted) for one in selectors.wishes(listener, until=moment)]


def test_the_latest_word_on_a_concept_counts_until_it_is_withdrawn(listener):
    ask(listener, "strings", "lean", 0.5)
    ask(listener, "strings", "lean", -0.5)
    ask(listener, "slow", "forget")
    assert asked(listener) == [("slow", "forget", 0.0), ("strings", "lean", -0.5)]
    ask(listener, "strings", "withdrawn")
    assert asked(listener) == [("slow", "forget", 0.0)]


def test_not_now_gives_way_to_what_was_said_before_it(listener):
    ask(listener, "strings", "lean", 0.5)
    ask(listener, "strings", "not now", hours=4)
    assert asked(listener) == [("strings", "not now", 0.0)]
    assert asked(listener, in_hours=5) == [("strings", "lean", 0.5)]


def test_wishes_reach_the_memory_as_songs_with_and_without_the_concept(listener):
    concepts = profiles.concepts_of(listener)
    assert concepts is not None
    loud, quiet = concepts.names[0], concepts.names[1]
    ask(listener, loud, "lean", 0.75)
    ask(listener, quiet, "not now", hours=1)
    ask(listener, "a concept of another encoder", "lean", 1.0)
    edits = {one.name: one for one in profiles.memory(listener, until=timezone.now()).edits}
    assert set(edits) == {loud, quiet}
    assert edits[loud].wanted == pytest.approx(0.75)
    assert edits[quiet].wanted == -1.0
    assert len(edits[loud].present) + len(edits[loud].absent) > 2
