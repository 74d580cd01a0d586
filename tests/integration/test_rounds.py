"""Rounds by real workers, with real (short) music."""

from __future__ import annotations

import threading
import time
import uuid

import pytest
from django.db import connection
from django.utils import timezone

from evolution import evaluation, generations, locks, presence, runs
from evolution.evaluation import PlayingError
from evolution.models import Candidate, Evaluation, Generation, Recording, Round, WaitingChunk
from evolution.search.fitness import TasteFitness
from evolution.takes import Instruments, Take
from listening import feedback, listeners, profiles, rounds, selectors
from listening.feedback import Opinion
from listening.models import Listener, Playlist, TasteSnapshot, Track
from tests.integration import in_process

pytestmark = pytest.mark.django_db(transaction=True)

SMALL = {
    "user_model": {"best_solutions": 4, "user_conf": {"init": "mean"}, "train_conf": {"lr": 0.1, "epochs": 20}},
    "evolution": {
        "generations": 2,
        "duration": 1.0,
        "best_duration": 2.0,
        "search": {"population_size": 8, "elites": 0.25, "novel_prompts": 0.25},
    },
}


@pytest.fixture(autouse=True)
def small(settings):
    settings.LISTENING_CONFIGURATION = SMALL


def make_listener(seed):
    return listeners.make_synthetic(reference_user=0, seed=seed)


def rate_all(listener, playlist, values=(1, -1)):
    for place in playlist.places.all():
        opinion = Opinion(
            id=uuid.uuid4(),
            track=place.track_id,
            value=values[place.position % len(values)],
            seconds=2.0,
            given_at=timezone.now(),
        )
        feedback.record(listener=listener, opinion=opinion)


def next_playlist(listener):
    done = in_process.ended(feedback.evolve(listener=listener))
    assert done.status == Round.Status.DONE, done.message
    return Playlist.objects.get(round=done)


def played(listener):
    return list(
        listener.tracks.order_by("place__playlist__number", "place__position").values_list("prompt", "recording")
    )


def history(listener):
    found = Candidate.objects.filter(generation__round__run=listener.run)
    ordered = found.order_by("generation__round__number", "generation__number", "position")
    return list(ordered.values_list("prompt", "seed", "fitness", "parents", "operators", "elite"))


def test_a_round_makes_a_playlist_that_can_be_heard(workers):
    listener = make_listener(1)
    playlist = next_playlist(listener)
    content = selectors.playlist_content(playlist)
    assert len(content["tracks"]) == 4
    assert len({track["prompt"] for track in content["tracks"]}) > 1
    for track in Track.objects.filter(listener=listener).select_related("recording"):
        assert track.recording.file.size > 5000
        assert track.recording.seconds == pytest.approx(2.0)
        assert -20 < track.recording.loudness < -12
        assert max(track.recording.peaks) > 0.1
    assert TasteSnapshot.objects.get(listener=listener).ratings == 0


def test_the_first_round_evolves_one_generation_and_later_ones_as_many_as_configured(workers):
    listener = make_listener(2)
    rate_all(listener, next_playlist(listener))
    next_playlist(listener)
    counts = [round_.generations.count() for round_ in Round.objects.filter(run=listener.run).order_by("number")]
    assert counts == [1, 2]
    assert [taste.ratings for taste in listener.tastes.order_by("round__number")] == [0, 4]


def test_nothing_is_played_twice_to_a_listener(workers):
    listener = make_listener(3)
    heard = []
    for _ in range(3):
        playlist = next_playlist(listener)
        rate_all(listener, playlist)
        heard += [place.track.recording_id for place in playlist.places.select_related("track")]
    assert len(heard) == len(set(heard)) == 12


def test_elites_keep_their_evaluation_and_are_scored_by_the_new_taste(workers):
    listener = make_listener(4)
    rate_all(listener, next_playlist(listener))
    next_playlist(listener)
    elites = Candidate.objects.filter(generation__round__number=2, generation__round__run=listener.run, elite=True)
    first = elites.filter(generation__number=1)
    assert first.count() == 2
    for elite in first:
        before = Candidate.objects.get(generation__round__number=1, position=elite.parents[0])
        assert (elite.prompt, elite.seed, elite.evaluation_id) == (before.prompt, before.seed, before.evaluation_id)
        assert elite.likeness != pytest.approx(before.likeness, abs=1e-6)
    assert Evaluation.objects.filter(recording=None).count() < Candidate.objects.count()


def test_children_remember_their_parents_and_what_was_done_to_them(workers):
    listener = make_listener(5)
    rate_all(listener, next_playlist(listener))
    next_playlist(listener)
    children = Candidate.objects.filter(generation__number=2, elite=False).exclude(parents=[])
    assert children.exists()
    assert all(child.operators for child in children)


def test_the_same_seed_and_the_same_ratings_give_the_same_history(workers):
    histories = []
    for _ in range(2):
        listener = make_listener(6)
        rate_all(listener, next_playlist(listener))
        rate_all(listener, next_playlist(listener))
        histories.append(history(listener))
    assert len(histories[0]) == 24
    assert histories[0] == histories[1]


def test_a_run_that_was_stopped_in_the_middle_goes_on_as_if_it_had_not_been(workers):
    undisturbed, stopped = make_listener(7), make_listener(7)
    for listener in (undisturbed, stopped):
        rate_all(listener, next_playlist(listener))
    next_playlist(undisturbed)
    round_ = runs.request_round(stopped.run_id)[0]
    taste = profiles.learn(stopped, round_)
    steps = generations.evolve(round_, TasteFitness(taste, 0.5))
    next(steps)  # the conductor is killed here: one of two generations is stored
    del steps
    assert round_.generations.count() == 1
    rate_all(stopped, Playlist.objects.get(listener=stopped, number=1), values=(-1, 1))  # too late for this round
    rounds.run(round_.pk)
    assert in_process.ended(round_).status == Round.Status.DONE
    assert history(stopped) == history(undisturbed)
    assert played(stopped) == played(undisturbed)


def test_running_a_round_twice_makes_one_playlist(workers):
    listener = make_listener(8)
    playlist = next_playlist(listener)
    rounds.run(playlist.round_id)
    assert Playlist.objects.filter(listener=listener).count() == 1


def test_a_round_that_another_conductor_has_is_left_to_it(db, redis_url):
    listener = make_listener(9)
    round_ = runs.request_round(listener.run_id)[0]
    held = threading.Event()
    leave = threading.Event()

    def other_conductor():
        with locks.claim(f"round:{round_.pk}"):
            held.set()
            leave.wait(20)
        connection.close()

    thread = threading.Thread(target=other_conductor)
    thread.start()
    held.wait(20)
    rounds.run(round_.pk)
    leave.set()
    thread.join()
    round_.refresh_from_db()
    assert round_.status == Round.Status.QUEUED


def test_an_abandoned_round_is_found_and_finished(workers):
    listener = make_listener(10)
    round_ = runs.request_round(listener.run_id)[0]  # asked for, but its message was lost
    runs.enter(round_, Round.Status.EVOLVING)
    rounds.resume_abandoned()
    assert in_process.ended(round_).status == Round.Status.DONE


def test_what_cannot_be_played_fails_the_round_with_a_sentence_and_it_can_be_asked_for_again(workers, monkeypatch):
    from models_store import catalog

    listener = make_listener(11)
    real = catalog.generator

    def broken(name, **parameters):
        raise ValueError("the SoundFont is gone")

    monkeypatch.setattr(catalog, "generator", broken)
    failed = in_process.ended(feedback.evolve(listener=listener))
    assert failed.status == Round.Status.FAILED
    assert "the SoundFont is gone" in failed.message
    monkeypatch.setattr(catalog, "generator", real)
    assert in_process.ended(feedback.evolve(listener=listener)).status == Round.Status.DONE


def test_an_error_of_ours_fails_the_round_instead_of_repeating_it_for_ever(workers, monkeypatch):
    from listening import playlists

    def broken(*arguments, **options):
        raise RuntimeError("a bug")

    monkeypatch.setattr(playlists, "compose", broken)
    failed = in_process.ended(feedback.evolve(listener=make_listener(14)))
    assert failed.status == Round.Status.FAILED
    assert "a reason that is ours" in failed.message
    assert "a bug" not in failed.message


def test_a_round_that_lost_its_database_is_taken_up_again(workers, monkeypatch):
    from django.db import OperationalError

    from listening import playlists

    real, calls = playlists.compose, []

    def loses_it_once(*arguments, **options):
        calls.append(1)
        if len(calls) == 1:
            raise OperationalError("the connection is lost")
        return real(*arguments, **options)

    monkeypatch.setattr(playlists, "compose", loses_it_once)
    round_ = feedback.evolve(listener=make_listener(15))
    give_up = time.monotonic() + 30
    while not calls and time.monotonic() < give_up:
        time.sleep(0.05)
    round_.refresh_from_db()
    assert round_.status == Round.Status.COMPOSING
    time.sleep(0.3)
    rounds.resume_abandoned()
    assert in_process.ended(round_).status == Round.Status.DONE


def take(prompt="calm jazz with piano", seed=1):
    return Take(prompt, seed, 1.0)


def in_thread(work):
    def run():
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_without_a_player_it_waits_says_so_and_goes_on_when_one_is_back(transactional_db, redis_url):
    said, done = [], []
    thread = in_thread(lambda: done.append(evaluation.evaluate([take()], Instruments(), on_wait=said.append)))
    give_up = time.monotonic() + 20
    while not said and time.monotonic() < give_up:
        time.sleep(0.05)
    assert "No player is up" in said[0]
    with in_process.worker("gpu"), presence.present("player"):
        thread.join(30)
    assert len(done[0]) == 1


def test_a_chunk_that_got_lost_is_sent_again(workers, monkeypatch):
    from evolution import tasks

    sent = []
    real = tasks.play_waiting.apply_async

    def loses_the_first(**options):
        sent.append(1)
        if len(sent) > 1:
            real(**options)

    monkeypatch.setattr(tasks.play_waiting, "apply_async", loses_the_first)
    stored = evaluation.evaluate([take()], Instruments())
    assert len(stored) == 1
    assert len(sent) == 2


def test_a_chunk_that_loses_every_player_is_given_up(transactional_db, redis_url, monkeypatch):
    from evolution import tasks, waiting

    def taken_and_lost(**options):
        with waiting.taken(most=lambda _: 8):
            pass  # the player dies

    monkeypatch.setattr(tasks.play_waiting, "apply_async", taken_and_lost)
    monkeypatch.setattr(evaluation, "PATIENCE", 0.1)
    with presence.present("player"), pytest.raises(PlayingError, match="6 players in a row were lost"):
        evaluation.evaluate([take()], Instruments())
    assert not WaitingChunk.objects.exists()


def test_a_prompt_that_cannot_be_recorded_is_refused_with_a_sentence(workers):
    with pytest.raises(PlayingError) as refused:
        evaluation.record([take(prompt="")], Instruments())
    assert "prompt" in str(refused.value)
    assert not Evaluation.objects.exists()


def test_the_same_take_is_played_once(workers):
    evaluation.evaluate([take(), take(), take(seed=2)], Instruments())
    before = dict(Evaluation.objects.values_list("key", "created_at"))
    evaluation.evaluate([take(), take(seed=2)], Instruments())
    assert dict(Evaluation.objects.values_list("key", "created_at")) == before
    assert len(before) == 2


def test_what_is_recorded_is_kept_with_the_embedding_of_what_is_played(workers):
    stored = evaluation.record([take()], Instruments())
    recording = Recording.objects.select_related("evaluation").get(key=next(iter(stored)))
    assert recording.evaluation_id == recording.key
    assert recording.file.name.endswith(recording.key + ".mp3")


def test_a_genetic_algorithm_on_token_embeddings_runs_the_same_loop(workers, settings):
    search = {"mode": "GA", "population_size": 8}
    settings.LISTENING_CONFIGURATION = {
        **SMALL,
        "evolution": {**SMALL["evolution"], "max_seq_len": 6, "search": search},
    }
    listener = make_listener(13)
    rate_all(listener, next_playlist(listener))
    next_playlist(listener)
    genomes = Candidate.objects.filter(generation__round__number=2).values_list("genome", flat=True)
    assert all(genome["shape"] == [6, 32] for genome in genomes)
    assert all(Track.objects.values_list("prompt", flat=True))


def test_generations_are_kept_with_their_figures(workers):
    next_playlist(make_listener(12))
    generation = Generation.objects.get()
    assert generation.worst <= generation.median <= generation.best
    assert generation.seconds > 0
    assert Listener.objects.count() == 1


def test_a_round_that_lost_its_broker_is_taken_up_again(workers, monkeypatch):
    from kombu.exceptions import OperationalError

    from evolution import tasks

    real, calls = tasks.play_waiting.apply_async, []

    def loses_it_once(**options):
        calls.append(1)
        if len(calls) == 1:
            raise OperationalError("the broker is away")
        return real(**options)

    monkeypatch.setattr(tasks.play_waiting, "apply_async", loses_it_once)
    round_ = runs.request_round(make_listener(16).run_id)[0]
    with pytest.raises(OperationalError):
        rounds.run(round_.pk)
    round_.refresh_from_db()
    assert round_.status == Round.Status.EVOLVING
    rounds.resume_abandoned()
    assert in_process.ended(round_).status == Round.Status.DONE


def test_a_round_of_a_listener_who_was_deleted_ends(db):
    listener = make_listener(17)
    round_ = runs.request_round(listener.run_id)[0]
    listener.delete()
    rounds.run(round_.pk)
    round_.refresh_from_db()
    assert round_.status == Round.Status.FAILED
