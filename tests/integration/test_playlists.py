from __future__ import annotations

import uuid
from types import SimpleNamespace

import pytest
from celery import Celery

from evolution.models import Round
from listening import events, feedback, listeners, playlists, queue, selectors
from listening.models import Listener
from models_store.generators.soundfont.vocabulary import LEXICON

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("gloomy pop with synth strings, 100 bpm, in f major", "Gloomy pop in F major"),
        ("cheerful music with baritone saxophone and flute", "Cheerful baritone saxophone"),
        ("salsa with brass, in phrygian", "Salsa in phrygian"),
        ("qwertyuiop, no drums", "Qwertyuiop"),
        ("", "Untitled"),
    ],
)
def test_a_title_is_made_of_what_the_prompt_says(prompt, expected):
    assert playlists.title(prompt, LEXICON) == expected


def test_a_long_title_is_cut_at_a_word():
    made = playlists.title("zz " * 200, LEXICON)
    assert len(made) <= playlists.LONGEST_TITLE
    assert made.endswith("…")


def candidate(prompt, fitness):
    return SimpleNamespace(pk=uuid.uuid4(), prompt=prompt, fitness=fitness)


def test_later_tracks_of_the_same_name_are_numbered(listener, make_playlist):
    make_playlist(listener, tracks=2)
    listener.tracks.update(title="Calm jazz")
    named = playlists._titles(listener, [candidate("calm jazz with piano", 1), candidate("sad waltz", 1)])
    assert named == ["Calm jazz, no. 3", "Sad waltz"]


def test_a_playlist_has_the_fittest_of_each_prompt():
    pool = [candidate("a", 0.1), candidate("a", 0.9), candidate("b", 0.5), candidate("a", 0.7)]
    kept = playlists._one_per_prompt(pool, at_least=2)
    assert sorted(one.fitness for one in kept) == [0.5, 0.9]


def test_where_prompts_are_too_few_the_next_fittest_fill_up():
    pool = [candidate("a", 0.1), candidate("a", 0.9), candidate("b", 0.5), candidate("a", 0.7)]
    kept = playlists._one_per_prompt(pool, at_least=3)
    assert sorted(one.fitness for one in kept) == [0.5, 0.7, 0.9]


@pytest.fixture
def no_broker(settings, monkeypatch, tmp_path):
    from channels.layers import channel_layers

    nowhere = f"unix://{tmp_path}/nobody.sock"
    hosts = settings.CHANNEL_LAYERS["default"]["CONFIG"]["hosts"][0]
    monkeypatch.setitem(hosts, "address", nowhere)
    settings.REDIS_URL = nowhere
    channel_layers.backends.clear()
    lost = Celery("lost", broker=nowhere.replace("unix://", "redis+socket://"), set_as_current=False)
    lost.conf.task_publish_retry_policy = {"max_retries": 0}
    monkeypatch.setattr(queue, "current_app", lost)
    yield
    channel_layers.backends.clear()


def test_without_a_broker_a_rating_and_a_wish_are_kept_all_the_same(no_broker, django_capture_on_commit_callbacks):
    listener = listeners.make_guest()
    with django_capture_on_commit_callbacks(execute=True):
        round_ = feedback.evolve(listener=listener)
    assert Round.objects.get(pk=round_.pk).status == Round.Status.QUEUED


def test_an_event_that_cannot_be_sent_is_no_failure(no_broker, listener, caplog):
    round_ = Round.objects.create(run=listener.run, number=1, generations_planned=1)
    events.progress(listener, round_)
    assert "was not sent" in caplog.text


def test_favourites_are_what_is_liked_now(listener, make_playlist):
    playlist = make_playlist(listener, tracks=3)
    tracks = [place.track for place in playlist.places.all()]
    for track, values in zip(tracks, [(1,), (1, -1), (-1, 1)], strict=True):
        for value in values:
            feedback.record(listener=listener, opinion=_opinion(track, value))
    _, liked = selectors.favourites(Listener.objects.get(pk=listener.pk), None)
    assert [one["id"] for one in liked] == [str(tracks[2].pk), str(tracks[0].pk)]


def _opinion(track, value):
    from django.utils import timezone

    return feedback.Opinion(id=uuid.uuid4(), track=track.pk, value=value, seconds=1.0, given_at=timezone.now())
