"""What workers count, time and log: tasks, chunks, rounds, memory that runs out."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from evolution import playing, serving, tasks, waiting
from evolution.models import Evaluation, Generation, Round
from evolution.takes import Instruments
from evomusic_site import figures, log_context, logs, metrics, task_hooks
from evomusic_site.celery import app
from listening.models import TasteSnapshot
from models_store import devices
from tests.integration.scraping import TOKEN, scraped


@pytest.fixture(autouse=True)
def no_figures_of_before():
    figures._LATEST.clear()
    yield
    figures._LATEST.clear()


@pytest.fixture
def scrape(client, settings, db):
    settings.METRICS_TOKEN = TOKEN
    return lambda: scraped(client)


SEEN: list[dict] = []


@app.task(name="tests.look")
def look(subject):
    SEEN.append(log_context.current())


@pytest.mark.django_db(transaction=True)
def test_a_task_is_timed_counted_and_knows_on_whose_behalf_it_was_sent(workers):
    def ended():
        return metrics.REGISTRY.get_sample_value("evomusic_tasks_total", {"task": "tests.look", "outcome": "done"}) or 0

    SEEN.clear()
    before = ended()
    with log_context.knowing({"run": 3, "round": 7, "listener": 5, "request": "abc", "chunk": "not carried"}):
        look.apply_async([1], queue="gpu")
    give_up = timezone.now() + timedelta(seconds=20)
    while ended() == before and timezone.now() < give_up:
        pass
    assert ended() == before + 1
    assert SEEN[0] == {"run": 3, "round": 7, "listener": 5, "request": "abc", "task": SEEN[0]["task"]}
    assert log_context.current() == {}


@pytest.mark.django_db
def test_a_round_of_a_conductor_logs_its_run_and_listener(listener):
    round_ = Round.objects.create(run=listener.run, number=1, generations_planned=1)
    told = task_hooks._subject("listening.tasks.run_round", (round_.pk,))
    assert told == {"round": round_.pk, "run": listener.run_id, "listener": listener.pk}
    assert task_hooks._subject("listening.tasks.run_round", (0,)) == {"round": 0}


def chunk_for(listener, *, items=3):
    made = waiting.chunk(
        "evaluations",
        [{"key": f"{number:064d}", "genome": "calm jazz with piano", "seed": number} for number in range(items)],
        seconds=1.0,
        instruments=Instruments(),
        reply="replies:test",
        run=listener.run_id,
    )
    waiting.add([made])
    return made


@pytest.mark.django_db
def test_chunks_that_wait_are_told_until_they_are_played(scrape, listener):
    before = scrape()
    chunk_for(listener)
    after = scrape()
    assert after["evomusic_chunks", "waiting"] - before["evomusic_chunks", "waiting"] == 1
    assert after["evomusic_chunk_candidates",] - before["evomusic_chunk_candidates",] == 3


@pytest.mark.django_db
def test_a_player_counts_what_it_played_and_logs_for_which_run(listener, monkeypatch):
    def count(name):
        return metrics.REGISTRY.get_sample_value(name, {"kind": "evaluations"}) or 0

    made, seen = chunk_for(listener), []
    evaluate = playing.evaluate

    def heard(*given):
        seen.append(log_context.current())
        evaluate(*given)

    monkeypatch.setitem(serving._KINDS, "evaluations", (Evaluation, heard))
    before = count("evomusic_played_total"), count("evomusic_chunk_seconds_count")
    tasks.play_waiting.apply()
    after = count("evomusic_played_total"), count("evomusic_chunk_seconds_count")
    assert (after[0] - before[0], after[1] - before[1]) == (3, 1)
    assert (seen[0]["run"], seen[0]["chunk"]) == (listener.run_id, str(made.pk)[:8])
    assert log_context.current() == {}
    tasks.play_waiting.apply()
    assert count("evomusic_chunk_seconds_count") == after[1], "nothing waited"


@pytest.mark.django_db
def test_memory_that_runs_out_is_counted():
    def count():
        return metrics.REGISTRY.get_sample_value("evomusic_events_total", {"event": "out_of_memory"})

    def work(part):
        if part.stop - part.start > 1:
            raise MemoryError
        return part.start

    logger, handler = logging.getLogger("models_store.devices"), logs.Counting()
    logger.addHandler(handler)
    handled_twice = 2 if any(isinstance(one, logs.Counting) for one in logging.root.handlers) else 1
    try:
        before = count()
        assert devices.in_parts(work, 2, at_once=2) == [0, 1]
        assert count() == before + handled_twice
    finally:
        logger.removeHandler(handler)


@pytest.mark.django_db
def test_rounds_generations_and_tastes_are_timed_when_they_are_stored(listener):
    def count(name, **labels):
        return metrics.REGISTRY.get_sample_value(name, labels) or 0

    names = ("evomusic_generation_seconds_sum", "evomusic_learn_seconds_sum")
    before = [count(name) for name in names], count("evomusic_round_seconds_count", outcome="done")
    round_ = Round.objects.create(run=listener.run, number=1, generations_planned=1)
    fitness = {"best": 0.5, "mean": 0.4, "median": 0.4, "worst": 0.1}
    Generation.objects.create(round=round_, number=1, seconds=2.5, **fitness)
    now = timezone.now()
    TasteSnapshot.objects.create(
        listener=listener, round=round_, learner="bayes", embedding=[1.0, 0.0], ratings=3, seconds=0.25, created_at=now
    )
    assert count("evomusic_round_seconds_count", outcome="done") == before[1]
    round_.status, round_.finished_at = Round.Status.DONE, now
    round_.save()
    after = [count(name) for name in names], count("evomusic_round_seconds_count", outcome="done")
    assert [b - a for a, b in zip(before[0], after[0], strict=True)] == pytest.approx([2.5, 0.25])
    assert after[1] == before[1] + 1
