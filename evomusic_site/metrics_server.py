"""The small HTTP server by which a worker is asked for its metrics, and what it knows of its GPU."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from evomusic_site import metrics

logger = logging.getLogger(__name__)

PORTS = 16
"""Ports that are tried, one after the other: workers of one machine share an environment."""


class GpuMemory(Collector):
    """Bytes of the GPU that this process uses, by what for; nothing in a process that uses none."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        torch = sys.modules.get("torch")  # whoever has not imported it has no GPU
        if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
            return
        family = GaugeMetricFamily("evomusic_gpu_memory_bytes", "Memory of the GPU, by state.", labels=["state"])
        free, total = torch.cuda.mem_get_info()
        family.add_metric(["allocated"], torch.cuda.memory_allocated())
        family.add_metric(["reserved"], torch.cuda.memory_reserved())
        family.add_metric(["free"], free)
        family.add_metric(["total"], total)
        yield family


metrics.REGISTRY.register(GpuMemory())


def start(host: str, port: int) -> WSGIServer | None:
    """Answer on the first free port of the 16 from `port` on, in a thread; None, and no server, for port 0.

    A worker whose metrics cannot be asked for works all the same: that there was no port is a warning.
    """
    if port == 0:
        return None
    for candidate in range(port, min(port + PORTS, 65536)):
        try:
            server, _ = start_http_server(candidate, addr=host, registry=metrics.REGISTRY)
        except OSError:
            continue
        logger.info("metrics are at http://%s:%d/metrics", host, candidate)
        return server
    logger.warning("no port of %s from %d on is free: this process tells no metrics", host, port)
    return None
