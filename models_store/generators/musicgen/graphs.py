"""The step as CUDA graphs: it is some three hundred small kernels, and starting each costs more than running it.

A graph repeats its kernels on the same addresses, so the tensors of a decode are kept for the next of the same shape.
A step looks at a whole number of blocks of slots; there is one graph for each number of blocks.
"""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from models_store import devices
from models_store.generators.musicgen.condition import Condition
from models_store.generators.musicgen.session import Session, Shape
from models_store.generators.musicgen.transformer import Network

logger = logging.getLogger(__name__)

BLOCK = 64
"""Slots by which the look back grows: a smaller block means more graphs to capture, a larger one more masked slots."""

TEXT_BLOCK = 16
"""Tokens by which the text grows, so that prompts of nearly one length share their graphs."""

KEPT = 2
"""Shapes that are kept: a population that is cut into parts has two, that of its parts and that of the rest."""

ATTEMPTS = 2
"""To capture a step: the second with another pool, as one whose last graph is gone cannot be used again."""

_one_capture_at_a_time = Lock()
"""In the whole process, on whatever device: torch knows no other way."""


@dataclass(frozen=True)
class Graphed:
    """A session and the graphs of its step, by the number of slots that they look at."""

    session: Session
    graphs: dict[int, torch.cuda.CUDAGraph] = field(default_factory=dict)

    def reset(self) -> None:
        """Give back what the graphs hold, whoever else still knows them."""
        for graph in self.graphs.values():
            graph.reset()
        self.graphs.clear()


class GraphedSessions:
    """Runs decodes on a GPU; the tensors and graphs of the last few shapes are kept."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._kept: OrderedDict[Shape, Graphed] = OrderedDict()
        self._capturing = True
        self._pool: Any = None
        # One for all captures: libraries keep memory for every stream that they have ever worked on.
        self._aside: torch.cuda.Stream | None = None

    @property
    def held_bytes(self) -> int:
        """Bytes of the tensors that are kept."""
        return sum(graphed.session.kept_bytes for graphed in self._kept.values())

    def clear(self) -> None:
        """Give them back."""
        for graphed in self._kept.values():
            graphed.reset()
        self._kept.clear()
        self._pool = None
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    def run(self, shape: Shape, condition: Condition, beginning: Tensor | None, numbers: Tensor) -> Session:
        """A session whose codes are all there. When memory runs out, it is tried again without what was kept."""
        shape = dataclasses.replace(shape, tokens=-(-shape.tokens // TEXT_BLOCK) * TEXT_BLOCK, block=BLOCK)
        again = bool(self._kept)
        try:
            with torch.cuda.device_of(self._network.embeddings):
                return self._run(shape, condition, beginning, numbers)
        except (RuntimeError, MemoryError) as error:
            if not devices.is_out_of_memory(error):
                raise
            if not again:
                self.clear()
                raise
        # Outside of the handler: there the error still holds the frames that hold the memory.
        self.clear()
        return self.run(shape, condition, beginning, numbers)

    def _run(self, shape: Shape, condition: Condition, beginning: Tensor | None, numbers: Tensor) -> Session:
        graphed = self._graphed(shape)
        session = graphed.session
        # What an earlier decode left in slots that are masked would spoil this one if it were not finite.
        session.memory.own.zero_()
        session.begin(condition, beginning, numbers)
        start = 0 if beginning is None else beginning.shape[2]
        for slot in range(start, session.steps):
            length = -(-(session.front + slot + 1) // BLOCK) * BLOCK
            graph = self._graph(graphed, slot=slot, length=length)
            if graph is None:
                session.step_in_place(length)
            else:
                graph.replay()
        return session

    def _graphed(self, shape: Shape) -> Graphed:
        if shape not in self._kept:
            while len(self._kept) >= KEPT:
                self._kept.popitem(last=False)[1].reset()
            self._kept[shape] = Graphed(Session(self._network, shape))
        self._kept.move_to_end(shape)
        return self._kept[shape]

    def _graph(self, graphed: Graphed, *, slot: int, length: int) -> torch.cuda.CUDAGraph | None:
        """The graph of the step that looks at `length` slots, captured if it is new; None where that is not possible.

        Raises torch.OutOfMemoryError when memory runs out.
        """
        if length in graphed.graphs or not self._capturing:
            return graphed.graphs.get(length)
        if not any(kept.graphs for kept in self._kept.values()):
            self._pool = None  # its last graph is gone
        outer = sys.exception()
        for attempt in range(ATTEMPTS):
            try:
                graphed.graphs[length] = self._captured(graphed.session, slot=slot, length=length)
                return graphed.graphs[length]
            except (RuntimeError, ValueError, MemoryError) as error:
                self._pool = self._aside = None  # what they are left as is not known
                # Only words are taken from the error: it holds the frames that hold the memory.
                said = _told_of_memory(error, outer)
                if said is not None:
                    raise torch.OutOfMemoryError(said) from error
                if attempt == ATTEMPTS - 1:
                    logger.warning(
                        "the decoder's step could not be captured; going on without CUDA graphs: %s", str(error)
                    )
        self._capturing = False
        graphed.session.slot.fill_(slot)
        return None

    def _captured(self, session: Session, *, slot: int, length: int) -> torch.cuda.CUDAGraph:
        """The graph of the step of `session` that stands at `slot` and looks at `length` slots.

        The step is run once before, as libraries take their memory then. It may be run twice: it writes the same
        tokens to the same slot, if the slot that it stands at is put back.
        """
        device = self._network.device
        session.slot.fill_(slot)
        if self._aside is None:
            self._aside = torch.cuda.Stream(device)
        here = torch.cuda.current_stream(device)
        self._aside.wait_stream(here)
        with torch.cuda.stream(self._aside):
            session.step_in_place(length)
        here.wait_stream(self._aside)
        session.slot.fill_(slot)
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        # The stream of before is set again here: a capture that fails leaves its own. What other threads do on the
        # device meanwhile does not spoil the capture.
        with (
            _one_capture_at_a_time,
            torch.cuda.stream(here),
            torch.cuda.graph(graph, pool=self._pool, stream=self._aside, capture_error_mode="thread_local"),
        ):
            session.step_in_place(length)
        return graph


def _told_of_memory(error: BaseException, outer: BaseException | None) -> str | None:
    """What the error says, or one of those that led to it, if it is that memory ran out.

    A capture that is broken off ends with an error of its own, in place of what broke it off.
    outer: what was being handled before all that.
    """
    found: BaseException | None = error
    while found is not None and found is not outer:
        if devices.is_out_of_memory(found):
            return str(found)
        found = found.__context__
    return None
