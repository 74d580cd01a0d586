"""Playlists for two, by real workers, with real (short) music."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
import torch
from django.db import connection
from django.utils import timezone

from evolution import evaluation, generations, locks, waiting
from evolution.evaluation import PlayingError
from evolution.models import Round
from listening import archive, duet_composition, duets, feedback, listeners, profiles, queue, selectors
from listening.models import Duet, Playlist, PlaylistTrack, Track
from models_store.taste.sharing import shared
from tests.integration import evolved_pairs

pytestmark = pytest.mark.django_db

SMALL = {
    "user_model": {"best_solutions": 4, "train_conf": {"learner": "bayes"}},
    "evolution": {
        "generations": 1,
        "duration": 1.0,
        "best_duration": 1.5,
        "search": {"population_size": 10, "elites": 0.2, "novel_prompts": 0.4},
    },
}


@pytest.fixture(autouse=True)
def small(settings):
    settings.LISTENING_CONFIGURATION = SMALL


@pytest.fixture
def pair(db):
    return evolved_pairs.pair()


@pytest.fixture
def duet(pair):
    host, guest = pair
    return duets.join(listener=guest, invitation=duets.token(duets.make(host=host)))


def wanted(duet, **changes):
    """The duet, with a playlist asked for but not begun."""
    Duet.objects.filter(pk=duet.pk).update(wanted_at=timezone.now(), **changes)
    return Duet.objects.get(pk=duet.pk)


def prompts(playlist):
    return list(playlist.places.values_list("track__prompt", flat=True))


def test_both_get_the_same_new_music_by_their_own_taste_and_are_told(duet, pair, monkeypatch):
    told = []
    monkeypatch.setattr("listening.events._send", lambda listener, event: told.append((listener.pk, event["type"])))
    heard = {track.recording_id for track in Track.objects.all()}
    asked = duets.ask(listener=pair[0], duet_id=duet.pk)
    duet_composition.compose(asked.pk)
    playlists = [Playlist.objects.get(listener=person, duet=duet) for person in pair]
    assert [one.number for one in playlists] == [3, 3]
    assert [one.round for one in playlists] == [None, None]
    recordings = [list(one.places.values_list("track__recording", flat=True)) for one in playlists]
    assert recordings[0] == recordings[1]
    assert 1 <= len(recordings[0]) <= 4
    assert not heard & set(recordings[0])
    places = [list(one.places.values_list("track", "predicted", "chance", "role")) for one in playlists]
    assert not {place[0] for place in places[0]} & {place[0] for place in places[1]}
    assert places[0][0][1] != places[1][0][1]
    assert {place[3] for place in places[0]} == {PlaylistTrack.Role.EVOLVED}
    assert sorted(told) == sorted((person.pk, "playlist.ready") for person in pair)
    duet.refresh_from_db()
    assert (duet.wanted_at, duet.message) == (None, "")


def test_what_is_chosen_suits_the_two_together_better_than_what_is_left(duet, pair):
    pool = [*archive.candidates(pair[0], unheard_by=[pair[1]]), *archive.candidates(pair[1], unheard_by=[pair[0]])]
    duet_composition.compose(wanted(duet, fairness=1.0).pk)
    chosen = set(prompts(Playlist.objects.get(listener=pair[0], duet=duet)))
    embeddings = generations.heard([one.evaluation for one in pool]).embeddings
    chances = [profiles.current_taste(person).probability(embeddings) for person in pair]
    together = shared(*chances, fairness=1.0)
    inside = torch.tensor([one.prompt in chosen for one in pool])
    assert float(together[inside].mean()) > float(together[~inside].mean())


def test_asking_again_brings_other_music_and_running_twice_brings_one_playlist(duet, pair):
    asked = wanted(duet)
    duet_composition.compose(asked.pk)
    duet_composition.compose(asked.pk)
    first = Playlist.objects.get(listener=pair[0], duet=duet)
    duet_composition.compose(wanted(duet).pk)
    second = Playlist.objects.exclude(pk=first.pk).get(listener=pair[0], duet=duet)
    assert second.number == first.number + 1
    assert not set(prompts(first)) & set(prompts(second))


def test_a_request_that_was_asked_again_meanwhile_is_not_answered_twice(duet, pair):
    asked = wanted(duet)
    Duet.objects.update(wanted_at=timezone.now() + timedelta(seconds=1))
    chosen = duet_composition._make(asked, asked=asked.wanted_at)
    assert chosen == []
    assert not Playlist.objects.filter(duet=duet).exists()


def test_what_either_never_wants_again_is_not_played_to_the_two(duet, pair):
    host, guest = pair
    duet_composition.compose(wanted(duet).pk)
    first = Playlist.objects.get(listener=host, duet=duet)
    best = prompts(first)[0]
    Track.objects.filter(place__playlist__duet=duet).delete()
    Playlist.objects.filter(duet=duet).delete()
    banned = Track.objects.filter(listener=guest).first()
    Track.objects.filter(pk=banned.pk).update(prompt=best)
    evolved_pairs.say(guest, banned, -1, never=True)
    duet_composition.compose(wanted(duet).pk)
    assert best not in prompts(Playlist.objects.get(listener=host, duet=duet))


def test_ratings_of_what_was_made_for_two_teach_each_their_own_taste(duet, pair):
    duet_composition.compose(wanted(duet).pk)
    host, guest = pair
    before = [len(profiles.memory(person, until=timezone.now())) for person in pair]
    for place in Playlist.objects.get(listener=host, duet=duet).places.select_related("track"):
        evolved_pairs.say(host, place.track, 1)
    after = [len(profiles.memory(person, until=timezone.now())) for person in pair]
    assert after[0] > before[0]
    assert after[1] == before[1]
    assert selectors.progress(guest).rated == 0


def test_another_conductor_at_it_is_left_alone(duet):
    asked = wanted(duet)
    held, done = threading.Event(), threading.Event()

    def other():
        with locks.claim(f"duet:{asked.pk}"):
            held.set()
            done.wait(20)
        connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(10)
    duet_composition.compose(asked.pk)
    assert not Playlist.objects.filter(duet=duet).exists()
    done.set()
    thread.join()


def test_two_without_music_are_told_what_to_do(db):
    host, guest = listeners.make_guest(), listeners.make_guest()
    duet = duets.join(listener=guest, invitation=duets.token(duets.make(host=host)))
    duet_composition.compose(wanted(duet).pk)
    duet.refresh_from_db()
    assert duet.wanted_at is None
    assert duet.message == duet_composition.NOTHING_NEW


def test_a_newcomer_hears_what_was_evolved_for_the_other(pair):
    newcomer = listeners.make_guest()
    duet = duets.join(listener=newcomer, invitation=duets.token(duets.make(host=pair[0])))
    duet_composition.compose(wanted(duet).pk)
    first = Playlist.objects.get(listener=newcomer, duet=duet)
    assert first.number == 1
    assert first.places.count() > 0


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PlayingError("the synthesiser is out of tune"), duet_composition.OURS),
        (RuntimeError("a fault of ours"), duet_composition.OURS),
        (
            PlayingError(waiting.NO_ROOM),
            f"Your playlist could not be made: {waiting.NO_ROOM}. Try again later.",
        ),
    ],
)
def test_what_goes_wrong_is_told_and_can_be_asked_for_again(duet, monkeypatch, error, message):
    def fail(*_, **__):
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(evaluation, "record", fail)
        duet_composition.compose(wanted(duet).pk)
    duet.refresh_from_db()
    assert (duet.wanted_at, duet.message) == (None, message)
    duet_composition.compose(wanted(duet).pk)
    assert Playlist.objects.filter(duet=duet).count() == 2


def test_a_database_that_is_away_leaves_the_request(duet, monkeypatch):
    from django.db import OperationalError

    def fail(*_, **__):
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(evaluation, "record", fail)
    with pytest.raises(OperationalError):
        duet_composition.compose(wanted(duet).pk)
    assert Duet.objects.get(pk=duet.pk).wanted_at is not None


def test_the_two_are_told_when_nobody_comes_to_record(duet, monkeypatch):
    monkeypatch.setattr(duet_composition, "PATIENCE", 0.0)

    def wait(takes, instruments, *, on_wait):
        on_wait("No player is up.")

    monkeypatch.setattr(evaluation, "record", wait)
    duet_composition.compose(wanted(duet).pk)
    duet.refresh_from_db()
    assert (duet.wanted_at, duet.message) == (None, duet_composition.NO_PLAYER)


def test_lost_requests_are_found_hopeless_ones_are_given_up(db, monkeypatch):
    found = []
    monkeypatch.setattr(queue, "enqueue_duet", found.append)
    made = []
    for age in (timedelta(0), timedelta(minutes=1), timedelta(hours=2)):
        host, guest = listeners.make_guest(), listeners.make_guest()
        made.append(Duet.objects.create(host=host, guest=guest, wanted_at=timezone.now() - age))
    duet_composition.resume_lost()
    assert found == [made[1].pk]
    made[2].refresh_from_db()
    assert (made[2].wanted_at, made[2].message) == (None, duet_composition.OURS)


@pytest.mark.django_db(transaction=True)
def test_the_request_goes_through_the_queue_and_real_music_is_recorded(workers):
    host, guest = listeners.make_guest(), listeners.make_guest()
    round_ = feedback.evolve(listener=host)
    wait_until(lambda: Round.objects.get(pk=round_.pk).status == Round.Status.DONE)
    duet = duets.join(listener=guest, invitation=duets.token(duets.make(host=host)))
    duets.ask(listener=guest, duet_id=duet.pk)
    wait_until(lambda: Duet.objects.get(pk=duet.pk).wanted_at is None)
    mine, theirs = (Playlist.objects.get(listener=person, duet=duet) for person in (host, guest))
    assert (mine.number, theirs.number) == (2, 1)
    for place in mine.places.select_related("track__recording"):
        assert place.track.recording.file.size > 0
        assert place.track.recording.seconds == pytest.approx(1.5, abs=0.2)
    heard_before = mine.listener.tracks.filter(place__playlist__round=round_).values_list("prompt", flat=True)
    assert not set(heard_before) & set(prompts(mine))


def wait_until(done, *, seconds=60):
    give_up = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.05)
