"""Synthetic listeners' runs: begun as rows, which the beat finds, and read as histories that can be compared."""

from __future__ import annotations

import time
from typing import Any

import django.db
import psycopg_pool
from django.db import connections

from benchmarks.chaos.service import Service

CONFIGURATION: dict[str, Any] = {
    "epochs": 3,
    "user_model": {"best_solutions": 3, "users": [{"user_type": "synth", "target_user_id": 3}]},
    "evolution": {
        "exp_name": "chaos",
        "generations": 3,
        "duration": 2.0,
        "best_duration": 2.0,
        "fitness": {"mode": "dynamic"},
        "search": {"mode": "prompt GA", "population_size": 24},
    },
}
"""So small that a run takes seconds, with several chunks in a generation."""
FOR_GUESTS: dict[str, Any] = {
    "user_model": {"best_solutions": 4, "train_conf": {"learner": "bayes"}},
    "evolution": {
        "exp_name": "chaos-guests",
        "generations": 2,
        "duration": 2.0,
        "best_duration": 3.0,
        "search": {"population_size": 16},
    },
}
WRITE_SECONDS = 60.0

_CANDIDATES = """
    SELECT r.number, g.number, c.position, c.prompt, c.genome, c.seed, c.parents, c.operators, c.elite,
           c.fitness, c.likeness, c.artefacts, c.evaluation_id
    FROM evolution_candidate c JOIN evolution_generation g ON g.id = c.generation_id
    JOIN evolution_round r ON r.id = g.round_id WHERE r.run_id = %s ORDER BY 1, 2, 3"""
_PLAYED = """
    SELECT p.number, l.position, l.role, l.predicted, l.uncertainty, t.prompt, t.recording_id,
           (SELECT array_agg(v.value) FROM listening_rating v WHERE v.track_id = t.id)
    FROM listening_playlisttrack l JOIN listening_playlist p ON p.id = l.playlist_id
    JOIN listening_track t ON t.id = l.track_id JOIN listening_listener h ON h.id = p.listener_id
    WHERE h.run_id = %s ORDER BY 1, 2"""
_TASTES = """
    SELECT r.number, s.ratings, s.embedding::text FROM listening_tastesnapshot s
    JOIN evolution_round r ON r.id = s.round_id WHERE r.run_id = %s ORDER BY 1"""


def use(service: Service) -> None:
    """Let this process's Django write to the service's database."""
    from evomusic_site import settings

    wanted = settings._database(service.database)
    wanted["OPTIONS"] = {"application_name": "evomusic chaos"}  # one connection: a pool keeps trying what is gone
    connections["default"].close()
    connections["default"].settings_dict.update(wanted)


def prepare() -> None:
    """The experiments: one for synthetic listeners, one that guests are assigned to."""
    from evolution import config, runs

    runs.create(config.parse(CONFIGURATION), name="chaos")
    guests = runs.create(config.parse(FOR_GUESTS), name="chaos-guests")
    guests.is_open = True
    guests.save(update_fields=["is_open"])


def begin(seed: int) -> None:
    """One more run; the service's beat finds it and asks for its first round.

    Tried again while the database is away; a run that was begun twice so is compared twice.
    """
    from evolution.models import Experiment
    from listening import listeners

    give_up = time.monotonic() + WRITE_SECONDS
    while True:
        try:
            listeners.make_synthetic(
                reference_user=3,
                seed=seed,
                experiment=Experiment.objects.get(name="chaos"),
                rounds=CONFIGURATION["epochs"],
            )
            return
        except (django.db.OperationalError, django.db.InterfaceError, psycopg_pool.PoolTimeout):
            connections["default"].close()
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)


def statuses(service: Service) -> dict[int, tuple[int, str, str]]:
    """Of every synthetic listener's run: seed, status and message."""
    rows = service.ask("SELECT id, seed, status, message FROM evolution_run WHERE rounds_planned IS NOT NULL")
    return {run: (seed, status, message) for run, seed, status, message in rows}


def history(service: Service, run: int) -> dict[str, list[tuple[Any, ...]]]:
    """All that a run has made: candidates with their scores, tastes, and playlists with their ratings."""
    read = {"candidates": _CANDIDATES, "playlists": _PLAYED, "tastes": _TASTES}
    return {name: service.ask(query, [run]) for name, query in read.items()}
