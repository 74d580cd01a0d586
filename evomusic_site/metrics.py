"""What this process counts and times, for Prometheus. No label says who: names of views, tasks and kinds only."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

disable_created_metrics()  # a second series for every counter, that nobody asks for

REGISTRY = CollectorRegistry()
"""Of this process alone. What comes from the rows is `rows_metrics`'."""

ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

ANSWER_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; an answer is meant to come within 0.1."""
WORK_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
"""Seconds; from a chunk on a GPU to a large round on a processor."""
LEARN_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

REQUESTS = Counter(
    "evomusic_http_requests", "Requests answered, by view and class of status.", ["view", "status"], registry=REGISTRY
)
TURN_SECONDS = Histogram(
    "evomusic_http_turn_seconds",
    "Time that a request waited for its turn, by kind of request; after 10 s it is told to try again.",
    ["kind"],
    buckets=ANSWER_BUCKETS,
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "evomusic_http_request_seconds",
    "Time from a request's turn until its answer began.",
    ["view"],
    buckets=ANSWER_BUCKETS,
    registry=REGISTRY,
)
SOCKETS = Gauge("evomusic_sockets_open", "WebSockets that are open.", ["kind"], registry=REGISTRY)
SOCKET_MESSAGES = Counter(
    "evomusic_socket_messages", "Messages on WebSockets: received or sent.", ["kind", "direction"], registry=REGISTRY
)

TASK_SECONDS = Histogram(
    "evomusic_task_seconds", "Time that a task took.", ["task"], buckets=WORK_BUCKETS, registry=REGISTRY
)
TASKS = Counter("evomusic_tasks", "Tasks that ended, by how.", ["task", "outcome"], registry=REGISTRY)
ROUND_SECONDS = Histogram(
    "evomusic_round_seconds",
    "Time from asking for a round to its end.",
    ["outcome"],
    buckets=WORK_BUCKETS,
    registry=REGISTRY,
)
GENERATION_SECONDS = Histogram(
    "evomusic_generation_seconds", "Time of one step of a searcher.", buckets=WORK_BUCKETS, registry=REGISTRY
)
LEARN_SECONDS = Histogram("evomusic_learn_seconds", "Time to learn a taste.", buckets=LEARN_BUCKETS, registry=REGISTRY)

CHUNK_SECONDS = Histogram(
    "evomusic_chunk_seconds",
    "A player's time for a chunk and those that it played together with it.",
    ["kind"],
    buckets=WORK_BUCKETS,
    registry=REGISTRY,
)
PLAYED = Counter(
    "evomusic_played", "Candidates, recordings and files that a player played.", ["kind"], registry=REGISTRY
)

LOGGED = Counter("evomusic_log_records", "Lines of the log, by level.", ["level"], registry=REGISTRY)
EVENT_NAMES = ("out_of_memory", "refused")
EVENTS = Counter(
    "evomusic_events",
    "What happened and was logged with an event: a player's memory ran out, a generator refused a genome.",
    ["event"],
    registry=REGISTRY,
)
for _name in EVENT_NAMES:
    EVENTS.labels(_name)  # there from the start, so that a first one is a change


def quantile(histogram: Histogram, q: float) -> float | None:
    """The `q` quantile over all labels of a histogram, linear inside a bucket; None when nothing was observed.

    q: in [0, 1]. What is beyond the last bucket counts as its bound. The estimate is Prometheus' histogram_quantile.
    """
    if not 0 <= q <= 1:
        raise ValueError(f"q: expected a number from 0 to 1, got {q!r}")
    sums: dict[float, float] = {}
    for metric in histogram.collect():
        for sample in metric.samples:
            if sample.name.endswith("_bucket"):
                bound = float(sample.labels["le"])
                sums[bound] = sums.get(bound, 0.0) + sample.value
    total = sums.get(float("inf"), 0.0)
    if not total:
        return None
    below, under = 0.0, 0.0
    for bound, count in sorted(sums.items()):
        if count >= q * total:
            if bound == float("inf"):
                return below
            return below + (bound - below) * ((q * total - under) / (count - under) if count > under else 1.0)
        below, under = bound, count
    return below
