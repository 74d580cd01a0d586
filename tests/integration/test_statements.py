"""What is read by statements of our own is what the ORM reads."""

from __future__ import annotations

import math
import uuid
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.forms import model_to_dict
from django.utils import timezone

from evolution.models import Round
from listening import feedback, selectors
from listening.feedback import Opinion
from listening.models import Listener, Track, User
from listening.recognition import WithListener
from listening.sessions import SessionStore

pytestmark = pytest.mark.django_db


def rate(listener, track, value):
    opinion = Opinion(id=uuid.uuid4(), track=track.pk, value=value, seconds=1.0, given_at=timezone.now())
    feedback.record(listener=listener, opinion=opinion)


def test_whoever_a_session_names_is_as_the_orm_knows_them(listener, django_assert_num_queries):
    user = WithListener().get_user(listener.user_id)
    assert model_to_dict(user) == model_to_dict(User.objects.get(pk=listener.user_id))
    assert model_to_dict(user.listener) == model_to_dict(Listener.objects.get(pk=listener.pk))
    with django_assert_num_queries(0):
        assert user.listener.user is user
    user.first_name = "Ada"
    user.save(update_fields=["first_name"])  # it is a row as any other
    assert User.objects.get(pk=user.pk).first_name == "Ada"


def test_nobody_is_recognised_who_is_not_there_or_may_not_log_in(listener):
    User.objects.filter(pk=listener.user_id).update(is_active=False)
    assert WithListener().get_user(listener.user_id) is None
    assert WithListener().get_user(0) is None


def test_staff_who_never_listened_are_recognised_without_a_listener():
    user = WithListener().get_user(User.objects.create_user("ada", is_staff=True).pk)
    assert user.is_staff
    with pytest.raises(Listener.DoesNotExist):
        user.listener  # noqa: B018  # asking for it is what is tested


def test_a_track_comes_with_its_recording_and_large_columns_when_they_are_asked_for(
    listener, make_playlist, django_assert_num_queries
):
    known = Track.objects.select_related("recording").get(pk=make_playlist(listener).places.first().track_id)
    sound = known.recording
    with django_assert_num_queries(1):
        found = selectors.track(listener, known.pk)
        assert (found.title, found.prompt, found.created_at) == (known.title, known.prompt, known.created_at)
        assert (found.recording.file.name, found.recording.seconds) == (sound.file.name, sound.seconds)
    assert found.embedding == Track.objects.get(pk=known.pk).embedding
    assert found.recording.peaks == sound.peaks


def test_nobody_elses_track_is_found(listener, other_listener, make_playlist):
    theirs = make_playlist(other_listener).places.first().track
    for asked in (theirs.pk, uuid.uuid4()):
        with pytest.raises(Track.DoesNotExist):
            selectors.track(listener, asked)


def test_progress_counts_the_latest_words_on_the_newest_playlist(listener, make_playlist):
    old = make_playlist(listener, tracks=4)
    newest = make_playlist(listener, number=2, tracks=4)
    for place in old.places.all():
        rate(listener, place.track, 1)
    tracks = [place.track for place in newest.places.order_by("position")]
    for track, values in zip(tracks, ([1], [-1, 0], [0, -1], []), strict=True):
        for value in values:
            rate(listener, track, value)
    now = selectors.progress(listener)
    opinions = selectors.with_opinion(Track.objects.filter(place__playlist=newest)).values_list("opinion", flat=True)
    assert (now.rated, now.needed) == (sum(1 for opinion in opinions if opinion), math.ceil(0.75 * 4)) == (2, 3)


@pytest.mark.parametrize("status", list(Round.Status))
def test_progress_tells_of_the_latest_round(listener, make_playlist, status):
    make_playlist(listener)
    latest = listener.run.rounds.order_by("-number").first()
    Round.objects.filter(pk=latest.pk).update(status=status)
    now = selectors.progress(listener)
    assert now.evolving == (selectors.pending_round(listener) is not None) == (status in Round.PENDING)
    assert now.cancelled == (status == Round.Status.CANCELLED)


def test_progress_of_somebody_without_a_playlist_is_none(listener):
    assert (selectors.progress(listener).rated, selectors.progress(listener).needed) == (0, 0)


def test_a_session_is_read_as_it_was_written_until_it_is_over():
    written = SessionStore()
    written["mark"] = "ü"
    written.save()
    assert SessionStore(written.session_key)["mark"] == "ü"
    Session.objects.filter(pk=written.session_key).update(expire_date=timezone.now() - timedelta(seconds=1))
    over = SessionStore(written.session_key)
    assert dict(over.items()) == {}
    assert over.session_key is None


@pytest.mark.parametrize("key", ["unknown-session-key-000000000000", "' OR 1=1 --", "x"])
def test_a_session_that_is_not_there_has_no_values_and_no_key(key):
    session = SessionStore(key)
    assert dict(session.items()) == {}
    assert session.session_key is None
