"""The players' queue on real rows: what is taken, played together, handed back, cancelled, and found again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch
from django.db import connection
from django.urls import reverse

from evolution import evaluation, interruption, locks, presence, runs, serving, waiting
from evolution.evaluation import Asker, PlayingError
from evolution.models import Evaluation, PlayerTime, Round, Run, WaitingChunk
from evolution.takes import Instruments, Take
from evomusic_site.environment import ROOT
from listening import cancelling, feedback, listeners, rounds, selectors
from listening.models import Playlist, Rating
from models_store import catalog
from tests.integration import in_process
from tests.integration.test_rounds import SMALL, in_thread, next_playlist, rate_all
from tests.random_models import musicgen

pytestmark = pytest.mark.django_db(transaction=True)

SOUND = Instruments()


def run_of(name: str = "queue") -> Run:
    return runs.start(runs.experiment(name=name, configuration=SMALL), seed=1)


def takes(count: int, *, first: int = 0, seconds: float = 0.5) -> list[Take]:
    return [Take("calm jazz with piano", seed, seconds) for seed in range(first, first + count)]


def wait(run: Run | None, some: list[Take], instruments: Instruments = SOUND, **more) -> WaitingChunk:
    """A chunk of these, stored."""
    items = [{"key": take.key(instruments), "genome": take.genome, "seed": take.seed} for take in some]
    pk = None if run is None else run.pk
    seconds = some[0].seconds
    one = waiting.chunk("evaluations", items, seconds=seconds, instruments=instruments, reply="r", run=pk, **more)
    waiting.add([one])
    return one


def until(true, *, seconds: float = 20.0) -> None:
    give_up = time.monotonic() + seconds
    while not true() and time.monotonic() < give_up:
        time.sleep(0.02)
    assert true()


def heard(some: list[Take], instruments: Instruments = SOUND) -> list[bytes]:
    rows = Evaluation.objects.in_bulk([take.key(instruments) for take in some])
    return [bytes(rows[take.key(instruments)].embedding) for take in some]


def test_chunks_that_are_alike_are_played_together_and_sound_as_if_played_alone(redis_url):
    mine, other, long = takes(3), takes(4, first=3), takes(2, seconds=1.0)
    for run, some in ((run_of("a"), mine), (run_of("b"), other), (run_of("c"), long)):
        wait(run, some)
    with waiting.taken(most=lambda _: 8) as taken:
        assert [one.size for one in taken] == [3, 4]
        assert locks.held([one.name for one in taken]) == {one.name for one in taken}
    serving.play_next()
    assert list(WaitingChunk.objects.values_list("size", flat=True)) == [2]
    together = heard([*mine, *other])
    Evaluation.objects.all().delete()
    for take in [*mine, *other]:
        WaitingChunk.objects.all().delete()
        wait(None, [take])
        serving.play_next()
    assert heard([*mine, *other]) == together


def test_a_batched_model_plays_the_chunks_of_two_listeners_at_once(redis_url, tmp_path, monkeypatch):
    musicgen.write(tmp_path / "musicgen")
    tiny = Instruments(generator="musicgen", parameters={"model": str(tmp_path / "musicgen"), "input_type": "text"})
    generator = catalog.generator("musicgen", **tiny.parameters)
    batches, real = [], type(generator).generate

    def counted(self, genomes, **options):
        batches.append(len(genomes))
        return real(self, genomes, **options)

    monkeypatch.setattr(type(generator), "generate", counted)
    mine, other = takes(3), takes(2, first=3)
    wait(run_of("a"), mine, tiny)
    wait(run_of("b"), other, tiny)
    serving.play_next()
    assert batches == [5]
    together = [torch.frombuffer(bytearray(one), dtype=torch.float32) for one in heard([*mine, *other], tiny)]
    Evaluation.objects.all().delete()
    for take in [*mine, *other]:
        wait(None, [take], tiny)
        serving.play_next()
    alone = [torch.frombuffer(bytearray(one), dtype=torch.float32) for one in heard([*mine, *other], tiny)]
    for first, second in zip(together, alone, strict=True):
        torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


def test_what_cannot_be_played_takes_nobody_elses_chunk_with_it(redis_url):
    good, bad = wait(run_of("a"), takes(2)), wait(run_of("b"), takes(1, first=2))
    WaitingChunk.objects.filter(pk=bad.pk).update(
        items=[{"key": "k", "genome": {"shape": [1], "float32": "broken"}, "seed": 1}]
    )
    serving.play_next()
    assert [one.pk for one in WaitingChunk.objects.all()] == [bad.pk]
    assert "a genome: expected" in WaitingChunk.objects.get().error
    assert Evaluation.objects.count() == good.size


def test_the_run_that_had_least_is_served_first_and_a_hungry_listener_before_one_with_music(redis_url):
    big, fed, hungry = run_of("big"), run_of("fed"), run_of("hungry")
    chunks = [wait(big, takes(8), unheard=60.0), wait(fed, takes(8, first=8), unheard=60.0)]
    chunks.append(wait(hungry, takes(8, first=16), unheard=0.0))
    for run, seconds in ((big, 9.0), (fed, 2.0), (hungry, 2.0)):
        PlayerTime.objects.create(run=run, kind="evaluations", alike=chunks[0].alike, played=10, seconds=seconds)
    order = []
    for _ in chunks:
        with waiting.taken(most=lambda _: 8) as taken:
            order.append(taken[0].run)
            waiting.answer(taken[0], "")
    assert order == [hungry, fed, big]


def test_two_players_never_take_the_same_chunk(redis_url):
    wait(run_of("a"), takes(8))
    wait(run_of("b"), takes(8, first=8))
    found, both = [], threading.Barrier(3)

    def player():
        with waiting.taken(most=lambda _: 8) as taken:
            found.append([one.pk for one in taken])
            both.wait(20)

    threads = [in_thread(player) for _ in range(3)]
    for thread in threads:
        thread.join(30)
    assert sorted(map(len, found)) == [0, 1, 1]
    assert len({pk for taken in found for pk in taken}) == 2


def test_an_evaluation_that_arrives_twice_is_stored_once(redis_url):
    some = takes(3)
    wait(run_of("a"), some)
    wait(run_of("b"), some)
    serving.play_next()
    before = dict(Evaluation.objects.values_list("key", "created_at"))
    wait(run_of("c"), some)
    serving.play_next()
    assert dict(Evaluation.objects.values_list("key", "created_at")) == before
    assert len(before) == 3
    assert not WaitingChunk.objects.exists()
    assert sum(PlayerTime.objects.values_list("played", flat=True)) == 3


def test_a_player_that_is_asked_to_stop_hands_its_chunk_back_between_two_micro_batches(redis_url, monkeypatch):
    wait(run_of(), takes(20))
    real = serving._played

    def then_asked(*arguments, **options):
        real(*arguments, **options)
        monkeypatch.setattr(interruption, "_came", [signal.SIGTERM])

    monkeypatch.setattr(serving, "_played", then_asked)
    with pytest.raises(interruption.Interrupted):
        serving.play_next()
    assert Evaluation.objects.count() == serving.MICRO_BATCH
    row = WaitingChunk.objects.get()
    assert row.attempts == 0
    assert not locks.held([row.name])


def test_a_chunk_whose_player_is_killed_is_taken_by_the_next_at_once(redis_url):
    one = wait(run_of(), takes(2))
    name = connection.settings_dict["NAME"]
    script = (
        "import time\nfrom evomusic_site.celery import app\nimport django; django.setup()\n"
        "from evolution import waiting\n"
        "with waiting.taken(most=lambda _: 8) as taken:\n    print(len(taken), flush=True); time.sleep(60)\n"
    )
    address = f"postgresql://{connection.settings_dict['USER']}@/{name}?host={connection.settings_dict['HOST']}"
    environment = {**os.environ, "DATABASE_URL": address, "REDIS_URL": redis_url}
    player = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert player.stdout is not None
    assert player.stdout.readline().strip() == "1"
    assert locks.held([one.name]) == {one.name}
    with waiting.taken(most=lambda _: 8) as taken:
        assert taken == []
    player.kill()
    player.wait()
    killed = time.monotonic()
    until(lambda: not locks.held([one.name]), seconds=10)
    serving.play_next()
    assert time.monotonic() - killed < 10
    assert Evaluation.objects.count() == 2


def test_what_a_dead_conductor_left_waiting_is_taken_away_when_its_round_is_taken_up(redis_url):
    run, other = run_of("a"), run_of("b")
    wait(run, takes(2))
    kept = wait(other, takes(2, first=2))
    with evaluation.asked_by(Asker(run=run.pk)):
        assert [one.pk for one in WaitingChunk.objects.all()] == [kept.pk]


def test_an_error_whose_reply_was_lost_is_found_in_the_row(redis_url, monkeypatch):
    from evolution import tasks

    def fails_in_silence(**options):
        WaitingChunk.objects.update(error="the disk is full")

    monkeypatch.setattr(tasks.play_waiting, "apply_async", fails_in_silence)
    monkeypatch.setattr(evaluation, "PATIENCE", 0.1)
    with pytest.raises(PlayingError, match="the disk is full"):
        evaluation.evaluate(takes(1), SOUND)
    assert not WaitingChunk.objects.exists()


def test_a_place_is_told_with_a_wait_only_where_somebody_knows_how_long_music_takes(redis_url):
    first, second = run_of("a"), run_of("b")
    chunk = wait(first, takes(10))
    wait(second, takes(10, first=10))
    with presence.present("player"):
        assert waiting.place(second.pk) == waiting.Place(1, None)
        PlayerTime.objects.create(kind="evaluations", alike=chunk.alike, played=10, seconds=5.0)
        assert waiting.place(first.pk) == waiting.Place(0, pytest.approx(5.0))
        assert waiting.place(second.pk) == waiting.Place(1, pytest.approx(10.0))
    assert waiting.place(second.pk).seconds is None  # no player is up: nobody knows
    assert waiting.place(run_of("c").pk) is None


@pytest.fixture
def small(settings):
    settings.LISTENING_CONFIGURATION = SMALL


def pressed_cancel(client):
    return client.post(reverse("listening:cancel"), {}, content_type="application/json").json()


def test_a_round_that_waits_for_players_can_be_cancelled_and_evolved_again(small, redis_url, transactional_db, client):
    listener = listeners.make_guest()
    client.force_login(listener.user)
    with in_process.worker("rounds"), presence.present("conductor"):  # no player is up
        round_ = feedback.evolve(listener=listener)
        until(lambda: WaitingChunk.objects.filter(run=listener.run).exists())
        answer = pressed_cancel(client)
        assert answer["cancelled"] is True
        assert answer["round"]["status"] == "cancelled"
        assert "stays" in answer["round"]["message"]
        until(lambda: not WaitingChunk.objects.exists() and not locks.held([f"round:{round_.pk}"]))
        assert (
            client.post(reverse("listening:cancel"), {}, content_type="application/json").json()["cancelled"] is False
        )
    round_.refresh_from_db()
    assert round_.status == Round.Status.CANCELLED
    with in_process.worker("rounds", "gpu"), presence.present("conductor"), presence.present("player"):
        playlist = next_playlist(listener)
    assert playlist.round.number == 2
    assert playlist.round.generations.count() == 1  # it is still the first music


def test_a_round_that_runs_can_be_cancelled_and_nothing_that_was_had_is_lost(small, workers, monkeypatch):
    listener = listeners.make_guest()
    playlist = next_playlist(listener)
    rate_all(listener, playlist, values=(1, -1))
    begun, go_on, real = threading.Event(), threading.Event(), serving._played

    def slow(*arguments, **options):
        begun.set()
        go_on.wait(20)
        real(*arguments, **options)

    monkeypatch.setattr(serving, "MICRO_BATCH", 2)
    monkeypatch.setattr(serving, "_played", slow)
    round_ = selectors.pending_round(listener) or feedback.evolve(listener=listener)
    assert begun.wait(30)
    before = Evaluation.objects.count()
    assert cancelling.cancel(listener=listener) is not None
    go_on.set()
    until(lambda: not locks.held([f"round:{round_.pk}", f"run:{listener.run_id}"]))
    monkeypatch.setattr(serving, "_played", real)
    until(lambda: not WaitingChunk.objects.exists())
    round_.refresh_from_db()
    assert round_.status == Round.Status.CANCELLED
    assert Evaluation.objects.count() <= before + 6 * 2  # what each thread had begun; not the rest
    assert Playlist.objects.filter(listener=listener).count() == 1
    assert Rating.objects.filter(listener=listener).count() == 4
    assert not feedback.evolve_if_rated(listener=listener).evolving  # not by itself
    assert next_playlist(listener).number == 2


def test_a_cancelled_round_is_not_begun_by_a_message_that_comes_late(small, redis_url, transactional_db):
    listener = listeners.make_guest()
    round_ = runs.request_round(listener.run_id)[0]
    cancelling.cancel(listener=listener)
    rounds.run(round_.pk)
    assert in_process.ended(round_).status == Round.Status.CANCELLED
    with pytest.raises(runs.NotWantedError):
        runs.enter(round_, Round.Status.EVOLVING)
