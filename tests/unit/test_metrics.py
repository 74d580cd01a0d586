"""What a process counts, and how it is asked for it."""

from __future__ import annotations

import logging
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.running import free_port
from evomusic_site import logs, metrics, metrics_server


def value(name, **labels):
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def histogram(*seconds):
    made = Histogram("t", "t", ["view"], buckets=(1.0, 2.0, 4.0), registry=CollectorRegistry())
    for number, one in enumerate(seconds):
        made.labels(f"view{number % 2}").observe(one)
    return made


def test_a_quantile_lies_where_the_buckets_say():
    made = histogram(0.5, 1.5, 1.5, 3.0)
    assert metrics.quantile(made, 0.5) == pytest.approx(1.5)
    assert metrics.quantile(made, 0.25) == pytest.approx(1.0)
    assert metrics.quantile(made, 1.0) == pytest.approx(4.0)


def test_of_nothing_there_is_no_quantile():
    assert metrics.quantile(histogram(), 0.5) is None


def test_beyond_the_last_bucket_its_bound_is_told():
    assert metrics.quantile(histogram(99.0, 99.0), 0.95) == 4.0


def test_a_quantile_beyond_one_is_refused():
    with pytest.raises(ValueError, match=r"expected a number from 0 to 1, got 95"):
        metrics.quantile(histogram(1.0), 95)


def test_lines_of_the_log_are_counted_by_level_and_event():
    logger = logging.Logger("counted")
    logger.addHandler(logs.Counting())
    before = value("evomusic_log_records_total", level="error"), value("evomusic_events_total", event="out_of_memory")
    logger.error("no room", extra={"event": "out_of_memory"})
    logger.error("unknown events make no new label", extra={"event": "somebody's name"})
    after = value("evomusic_log_records_total", level="error"), value("evomusic_events_total", event="out_of_memory")
    assert (after[0] - before[0], after[1] - before[1]) == (2, 1)
    assert value("evomusic_events_total", event="somebody's name") == 0


def test_a_worker_answers_on_its_port_and_a_second_one_on_the_next():
    port = free_port()
    servers = [metrics_server.start("127.0.0.1", port), metrics_server.start("127.0.0.1", port)]
    try:
        assert None not in servers
        ports = [server.server_port for server in servers]
        assert ports[0] >= port
        assert ports[1] > ports[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/metrics", timeout=5) as answer:
            families = {family.name for family in text_string_to_metric_families(answer.read().decode())}
        assert {"evomusic_chunk_seconds", "evomusic_events", "process_resident_memory_bytes"} <= families
    finally:
        for server in servers:
            if server is not None:
                server.shutdown()
                server.server_close()


def test_port_0_opens_no_server():
    assert metrics_server.start("127.0.0.1", 0) is None


def test_a_process_tells_of_the_gpu_that_it_uses_and_of_no_other():
    import torch

    if torch.cuda.is_available():
        torch.zeros(1, device="cuda")
    told = [sample for family in metrics_server.GpuMemory().collect() for sample in family.samples]
    expected = ["allocated", "reserved", "free", "total"] if torch.cuda.is_available() else []
    assert [sample.labels["state"] for sample in told] == expected
