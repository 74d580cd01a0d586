"""The step that a CUDA graph repeats, run without one, and what is kept from one decode to the next."""

from __future__ import annotations

import logging
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
    running = graphs.GraphedSessions(read(model.decoder))
    with torch.no_grad():
        for items in (1, 2, 3):
            shape = session.Shape(items=items, tokens=6, frames=4, sampling=Sampling())
            numbers = uniforms(range(items), frames=4, codebooks=4)
            running.run(shape, take(condition(model, PROMPTS), slice(items)), None, numbers)
    kept = running.held_bytes
    assert kept > 0
    with torch.no_grad():
        running.run(shape, condition(model, PROMPTS), None, numbers)
    assert running.held_bytes == kept
    running.clear()
    assert running.held_bytes == 0


class Cramped(session.Session):
    """The tensors of a decode on a device that has no room for those of two."""

    alive: WeakSet[session.Session] = WeakSet()
    room = 1

    def __init__(self, *given: Any) -> None:
        if len(self.alive) >= self.room:
            raise torch.OutOfMemoryError("no room")
        super().__init__(*given)
        self.alive.add(self)


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
