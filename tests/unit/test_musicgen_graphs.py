"""The step that a CUDA graph repeats, run without one, and what is kept from one decode to the next."""

from __future__ import annotations

import dataclasses
import logging
import math
from typing import Any
from weakref import WeakSet

import pytest
import torch

from models_store import seeding
from models_store.generators.musicgen import delays, graphs, session
from models_store.generators.musicgen.decoding import Decoder, Sampling
from models_store.generators.musicgen.sampling import uniforms
from models_store.generators.musicgen.transformer import read
from tests.unit.small_decoder import PROMPTS, VARIANTS, build, condition, take


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {variant: build(variant) for variant in VARIANTS}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("block", [1, 8])
def test_the_step_that_a_graph_repeats_gives_the_codes_of_the_step_on_a_processor(
    models: dict[str, Any], variant: str, block: int
) -> None:
    model = models[variant]
    decoder, told = Decoder(model.decoder), condition(model, PROMPTS)
    beginning = torch.randint(64, (3, decoder.codebooks, 5), generator=seeding.generator(2))
    expected = decoder.decode(told, frames=12, seeds=[1, 2, 3], beginning=beginning)
    tokens = -(-told.states.shape[1] // block) * block
    shape = session.Shape(items=3, tokens=tokens, frames=17, sampling=Sampling(), block=block)
    with torch.no_grad():
        running = session.Session(read(model.decoder), shape)
        for _ in range(2):  # the tensors serve again
            running.begin(told, beginning, uniforms([1, 2, 3], frames=12, codebooks=decoder.codebooks))
            for slot in range(5, running.steps):
                running.step_in_place(-(-(running.front + slot + 1) // block) * block)
            assert int(running.slot) == running.steps
            late = running.late
            rows = [running.codes[6 + late[k] : 18 + late[k], :, k].T for k in range(decoder.codebooks)]
            assert torch.equal(torch.stack(rows, dim=1), expected)


def test_where_a_step_cannot_be_captured_it_is_run_as_it_is_and_said(
    models: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    model = models["plain"]
    told = condition(model, PROMPTS)
    expected = Decoder(model.decoder).decode(told, frames=12, seeds=[1, 2, 3])
    running = graphs.GraphedSessions(read(model.decoder))
    shape = session.Shape(items=3, tokens=6, frames=12, sampling=Sampling())
    with caplog.at_level(logging.WARNING), torch.no_grad():
        made = running.run(shape, told, None, uniforms([1, 2, 3], frames=12, codebooks=4))
    assert "could not be captured" in caplog.text
    rows = [made.codes[1 + k : 13 + k, :, k].T for k in range(4)]
    assert torch.equal(torch.stack(rows, dim=1), expected)


def test_only_the_last_shapes_are_kept(models: dict[str, Any]) -> None:
    model = models["plain"]
    network = read(model.decoder)
    running = graphs.GraphedSessions(network)
    of_three = session.Shape(items=3, tokens=graphs.TEXT_BLOCK, frames=4, sampling=Sampling(), block=graphs.BLOCK)
    with torch.no_grad():
        for items in (1, 2, 3):
            shape = session.Shape(items=items, tokens=6, frames=4, sampling=Sampling())
            numbers = uniforms(range(items), frames=4, codebooks=4)
            running.run(shape, take(condition(model, PROMPTS), slice(items)), None, numbers)
    kept = running.held_bytes
    last = [session.Session(network, dataclasses.replace(of_three, items=items)).kept_bytes for items in (2, 3)]
    assert kept == sum(last) > 0
    assert len(last) == graphs.KEPT
    with torch.no_grad():
        running.run(shape, condition(model, PROMPTS), None, numbers)
    assert running.held_bytes == kept
    running.clear()
    assert running.held_bytes == 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_an_earlier_decode_left_is_not_heard(models: dict[str, Any], variant: str) -> None:
    model = models[variant]
    running, told = graphs.GraphedSessions(read(model.decoder)), condition(model, PROMPTS)
    shape = session.Shape(items=3, tokens=told.states.shape[1], frames=6, sampling=Sampling())
    numbers = uniforms([1, 2, 3], frames=6, codebooks=read(model.decoder).codebooks)
    with torch.no_grad():
        first = running.run(shape, told, None, numbers)
        codes = first.codes.clone()
        for kept in (first.memory.own, first.numbers, first.memory.text):
            if kept is not None:
                kept.fill_(math.nan)
        again = running.run(shape, told, None, numbers)
    assert again is first
    assert torch.equal(again.codes, codes)


class Cramped(session.Session):
    """The tensors of a decode on a device that has no room for those of two."""

    alive: WeakSet[session.Session] = WeakSet()
    room = 1

    def __init__(self, *given: Any) -> None:
        if len(self.alive) >= self.room:
            raise torch.OutOfMemoryError("no room")
        super().__init__(*given)
        self.alive.add(self)


class Failing(graphs.GraphedSessions):
    """Captures that fail as they do on a GPU, one error after the other, then for want of a GPU."""

    def __init__(self, *given: Any, errors: list[BaseException]) -> None:
        super().__init__(*given)
        self.errors, self.pools = errors, list[Any]()

    def _captured(self, *given: Any, **settings: Any) -> Any:
        self.pools.append(self._pool)
        self._pool = "a pool"
        if self.errors:
            raise self.errors.pop(0)
        return super()._captured(*given, **settings)


def replaced(first: BaseException, then: BaseException) -> BaseException:
    """The error that comes out of a `with` whose end fails after what is inside it failed."""
    then.__context__ = first
    return then


def broken_off(by: BaseException) -> BaseException:
    """The error that comes out of a capture whose end fails, after what it captured failed."""
    error = RuntimeError("CUDA error: operation failed due to a previous error during capture")
    error.__context__ = by
    return error


def run_out(which: str) -> BaseException:
    """Memory that ran out, as torch, CUDA, cuBLAS and a capture say it."""
    if which == "cuBLAS's":
        return RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
    if which == "CUDA's":
        return RuntimeError("CUDA error: out of memory")
    error = torch.OutOfMemoryError("no room")
    return error if which == "torch's" else broken_off(error)


@pytest.mark.parametrize("which", ["torch's", "CUDA's", "cuBLAS's", "a capture's"])
def test_memory_that_runs_out_in_a_capture_does_not_end_capturing(
    models: dict[str, Any], which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, "Session", Cramped)
    model, told = models["plain"], condition(models["plain"], PROMPTS)
    running = Failing(read(model.decoder), errors=[run_out(which)])
    shape = session.Shape(items=3, tokens=6, frames=4, sampling=Sampling())
    numbers = uniforms([1, 2, 3], frames=4, codebooks=4)
    with torch.no_grad():
        with pytest.raises(torch.OutOfMemoryError, match=r"no room|out of memory|ALLOC_FAILED"):
            running.run(shape, told, None, numbers)
        assert running._capturing
        assert running._pool is None
        assert running.held_bytes == 0
        assert len(running.pools) == 1
        assert not Cramped.alive  # nothing waits for Python's search for circles
        assert running.run(shape, told, None, numbers).codes.shape[1] == 3


def test_memory_that_runs_out_with_a_shape_kept_is_tried_once_more(
    models: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, "Session", Cramped)
    model, told = models["plain"], condition(models["plain"], PROMPTS)
    network, numbers = read(model.decoder), uniforms([1, 2, 3], frames=4, codebooks=4)
    shape = session.Shape(items=3, tokens=6, frames=4, sampling=Sampling())
    running = Failing(network, errors=[])
    with torch.no_grad():
        expected = running.run(shape, told, None, numbers).codes.clone()
        running._capturing = True  # as if there were a GPU
        running.errors.append(run_out("a capture's"))
        made = running.run(shape, told, None, numbers)
    assert torch.equal(made.codes, expected)
    assert not running.errors


def test_a_capture_that_fails_is_tried_again_with_another_pool(
    models: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    model, told = models["plain"], condition(models["plain"], PROMPTS)
    gone = RuntimeError("it->second->use_count > 0 INTERNAL ASSERT FAILED")
    running = Failing(read(model.decoder), errors=[gone, broken_off(RuntimeError("not permitted"))])
    shape = session.Shape(items=3, tokens=6, frames=4, sampling=Sampling())
    with caplog.at_level(logging.WARNING), torch.no_grad():
        try:
            raise torch.OutOfMemoryError("of the caller, long before")
        except torch.OutOfMemoryError as error:
            gone.__context__ = error  # as Python sets it
            running.run(shape, told, None, uniforms([1, 2, 3], frames=4, codebooks=4))
    assert running.pools == [None, None]
    assert not running._capturing
    assert caplog.text.count("could not be captured") == 1


def test_what_is_kept_gives_way_when_memory_runs_out(models: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model = models["plain"]
    monkeypatch.setattr(graphs, "Session", Cramped)
    running = graphs.GraphedSessions(read(model.decoder))
    with torch.no_grad():
        for items in (1, 2):
            shape = session.Shape(items=items, tokens=6, frames=4, sampling=Sampling())
            numbers = uniforms(range(items), frames=4, codebooks=4)
            made = running.run(shape, take(condition(model, PROMPTS), slice(items)), None, numbers)
            assert made.codes.shape[1] == items
            del made  # as a decoder lets go of it
        monkeypatch.setattr(Cramped, "room", 0)
        with pytest.raises(torch.OutOfMemoryError):
            running.run(
                session.Shape(1, 6, 4, Sampling()), take(condition(model, PROMPTS), slice(1)), None, numbers[:1]
            )
    assert running.held_bytes == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("numbers", [torch.float32, torch.bfloat16])
def test_graphs_on_a_gpu_give_the_codes_of_the_step_without_them(variant: str, numbers: torch.dtype) -> None:
    model = build(variant)
    told, drawn = condition(model, PROMPTS), {"frames": 80, "seeds": [1, 2, 3]}
    on_cpu = Decoder(model.decoder).decode(told, **drawn)
    decoder = Decoder(model.decoder.to("cuda", numbers))
    captured = [decoder.decode(told, **drawn) for _ in range(2)]  # the second by graphs alone
    assert torch.equal(captured[0], captured[1])
    assert decoder.held_bytes > 0
    running = graphs.GraphedSessions(read(model.decoder))
    running._capturing = False
    shape = session.Shape(items=3, tokens=told.states.shape[1], frames=80, sampling=Sampling())
    with torch.no_grad():
        plain = running.run(shape, told, None, uniforms([1, 2, 3], frames=80, codebooks=decoder.codebooks))
    assert torch.equal(captured[0], delays.read(plain.codes, plain.late, first=0, frames=80))
    if numbers == torch.float32:
        assert (
            float((captured[0].cpu() == on_cpu).float().mean()) > 0.95
        )  # a number that lands elsewhere moves the rest


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_shape_whose_graphs_went_is_captured_again_on_the_same_stream() -> None:
    model = build()
    running, told = graphs.GraphedSessions(read(model.decoder.to("cuda"))), condition(build(), PROMPTS)
    shape = session.Shape(items=3, tokens=6, frames=8, sampling=Sampling())
    numbers, streams, codes = uniforms([1, 2, 3], frames=8, codebooks=4), [], []
    with torch.no_grad():
        for _ in range(2):
            codes.append(running.run(shape, told, None, numbers).codes.clone())
            assert [len(kept.graphs) for kept in running._kept.values()] == [1]
            streams.append(running._aside)
            for kept in running._kept.values():
                kept.reset()  # the pool has no graph any more
    assert streams[0] is not None
    assert streams[0] is streams[1]
    assert running._capturing
    assert torch.equal(*codes)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_a_second_gpu_captures_too() -> None:
    told, drawn = condition(build(), PROMPTS), {"frames": 20, "seeds": [1, 2, 3]}
    made = []
    for device in ("cuda:0", "cuda:1"):
        decoder = Decoder(build().decoder.to(device))
        made.append([decoder.decode(told, **drawn).cpu() for _ in range(2)])
        assert decoder._graphed is not None
        assert decoder._graphed._capturing
    assert torch.equal(made[0][0], made[0][1])
    assert torch.equal(made[1][0], made[1][1])
    assert torch.equal(made[0][0], made[1][0])
