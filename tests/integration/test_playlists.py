from __future__ import annotations

import uuid
from types import SimpleNamespace

import pytest
import torch
from celery import Celery

from evolution import generations
from evolution.models import Round
from listening import events, feedback, listeners, picks, playlists, profiles, queue, selectors, titles
from listening.models import Duet, Listener
from listening.picks import Role
from models_store.generators.soundfont.vocabulary import LEXICON
from tests.integration.evolved import make_round, play

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
    assert titles.title(prompt, LEXICON) == expected


def test_a_long_title_is_cut_at_a_word():
    made = titles.title("zz " * 200, LEXICON)
    assert len(made) <= titles.LONGEST
    assert made.endswith("…")


def candidate(prompt, fitness):
    return SimpleNamespace(pk=uuid.uuid4(), prompt=prompt, fitness=fitness)


def test_later_tracks_of_the_same_name_are_numbered(listener, make_playlist):
    make_playlist(listener, tracks=2)
    listener.tracks.update(title="Calm jazz")
    named = titles.of(listener, ["calm jazz with piano", "sad waltz"])
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


def test_a_playlist_of_no_round_is_the_listeners_next_and_holds_what_was_chosen(listener, other_listener):
    theirs = play(other_listener, make_round(other_listener, 1, ["calm jazz with piano", "b"]))
    mine = play(listener, make_round(listener, 1, ["a"]), tracks=1)
    duet = Duet.objects.create(host=listener, guest=other_listener)
    chosen = [
        picks.of_track(theirs[0], role=Role.CONTROL),
        picks.of_track(mine[0], role=Role.REPEAT, repeats=mine[0]),
    ]

    taste = profiles.current_taste(listener)
    playlist = playlists.keep(listener, chosen, taste=taste, duet=duet)

    places = list(playlist.places.select_related("track"))
    assert (playlist.number, playlist.round, playlist.duet) == (2, None, duet)
    assert [place.role for place in places] == [Role.CONTROL, Role.REPEAT]
    assert [place.track.repeats for place in places] == [None, mine[0]]
    assert [place.track.recording for place in places] == [theirs[0].recording, mine[0].recording]
    assert {place.track.listener for place in places} == {listener}
    heard = generations.heard([place.track.recording.evaluation for place in places]).embeddings
    assert [place.chance for place in places] == pytest.approx(taste.probability(heard).tolist())
    assert [place.predicted for place in places] == pytest.approx(taste.likeness(heard)[0].tolist())
    on_the_map = [(place.track.map_x, place.track.map_y) for place in places]
    assert torch.allclose(torch.tensor(on_the_map), profiles.concepts_of(listener).place(heard), atol=1e-5)


def test_where_an_aligner_has_no_map_a_track_has_no_place_on_it(listener, monkeypatch):
    track = play(listener, make_round(listener, 1, ["a"]), tracks=1)[0]
    monkeypatch.setattr(profiles, "concepts_of", lambda _: None)

    made = playlists.keep(listener, [picks.of_track(track, role=Role.REPEAT)], taste=profiles.current_taste(listener))

    assert made.places.get().track.map_x is None


def test_what_a_generator_refused_is_never_chosen():
    """It is stored as silence with every fault, and recording it would be refused as well."""
    from evolution.models import Candidate, Evaluation
    from listening import archive

    def candidate(silence: float) -> Candidate:
        return Candidate(evaluation=Evaluation(artefacts=[0.0, 0.0, 0.0, 0.0, silence]))

    heard, refused = candidate(0.3), candidate(1.0)
    assert archive.audible([refused, heard]) == [heard]
