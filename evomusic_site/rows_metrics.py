"""The figures of the whole service as Prometheus' metrics: the same from whichever web process they are asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from evomusic_site import figures
from evomusic_site.figures import Figures


class Service(Collector):
    """Reads the figures when it is asked for them."""

    def collect(self) -> Iterator[Metric]:
        now = figures.latest()
        yield _gauge("evomusic_up", "Whether a service answers.", "service", _up(now))
        if now.broker:
            yield _gauge("evomusic_queue_messages", "Messages that no worker has taken.", "queue", now.queues)
        if now.database:
            yield from _work(now)
            yield from _people(now)
            yield from _server(now)

    def describe(self) -> list[Metric]:
        """Nothing is asked for when the collector is registered."""
        return []


REGISTRY = CollectorRegistry()
REGISTRY.register(Service())


def _up(now: Figures) -> dict[str, int]:
    return {"database": int(now.database), "broker": int(now.broker)}


def _work(now: Figures) -> Iterator[Metric]:
    yield _gauge("evomusic_rounds", "Rounds, by status.", "status", now.rounds)
    yield _gauge("evomusic_runs", "Runs, by status.", "status", now.runs)
    yield _gauge("evomusic_chunks", "Chunks of music to be made: waiting, or taken by a player.", "state", now.chunks)
    yield GaugeMetricFamily("evomusic_chunk_candidates", "Candidates in these chunks.", now.chunk_candidates)
    yield GaugeMetricFamily("evomusic_oldest_chunk_seconds", "Since when the oldest of them waits.", now.oldest_chunk)
    yield GaugeMetricFamily(
        "evomusic_oldest_pending_round_seconds", "How long the oldest pending round has waited.", now.oldest_pending
    )
    yield GaugeMetricFamily(
        "evomusic_rounds_failed_in_an_hour", "Rounds that failed in the last hour.", now.failed_in_an_hour
    )
    yield GaugeMetricFamily("evomusic_playlists", "Playlists that are kept.", now.playlists)
    yield GaugeMetricFamily("evomusic_generations", "Generations that are kept.", now.generations)
    yield CounterMetricFamily("evomusic_evaluations", "Genomes played for generations that are kept.", now.played)
    yield CounterMetricFamily("evomusic_player_seconds", "The players' time for them, in seconds.", now.player_seconds)


def _people(now: Figures) -> Iterator[Metric]:
    ratings = CounterMetricFamily("evomusic_ratings", "Ratings that are kept, by kind.", labels=["kind"])
    for kind, count in now.ratings.items():
        ratings.add_metric([kind], count)
    yield ratings
    yield _gauge("evomusic_listeners", "Listeners, by kind.", "kind", now.listeners)
    yield _gauge("evomusic_listeners_active", "Listeners who rated or heard something lately.", "within", now.active)


def _server(now: Figures) -> Iterator[Metric]:
    yield _gauge("evomusic_processes", "Conductors and players that are there.", "role", now.present)
    yield _gauge("evomusic_database_connections", "Connections to the database, by state.", "state", now.connections)
    yield GaugeMetricFamily("evomusic_database_bytes", "Size of the database.", now.database_bytes)


def _gauge(name: str, told: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
