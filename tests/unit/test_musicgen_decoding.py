"""The decode loop of MusicGen gives what transformers' `generate` gives, whatever the batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from models_store import seeding
from models_store.generators.musicgen import session
from models_store.generators.musicgen.decoding import Condition, Decoder, Sampling
from models_store.generators.musicgen.transformer import read
from tests.unit.small_decoder import PROMPTS, VARIANTS, build, condition, generate

GREEDY = Sampling(greedy=True)


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {variant: build(variant) for variant in VARIANTS}


@pytest.mark.parametrize("guidance", [3.0, 1.0])
@pytest.mark.parametrize("variant", ["plain", "stereo"])
def test_the_likeliest_codes_of_a_padded_batch_are_those_of_transformers(
    models: dict[str, Any], variant: str, guidance: float
) -> None:
    model = models[variant]
    expected = generate(model, PROMPTS, frames=20, do_sample=False, guidance_scale=guidance)
    sampling = Sampling(greedy=True, guidance=guidance)
    codes = Decoder(model.decoder).decode(condition(model, PROMPTS), frames=20, seeds=[0] * 3, sampling=sampling)
    assert codes.shape == (3, 8 if variant == "stereo" else 4, 20)
    assert codes.dtype == torch.int64
    assert torch.equal(codes, expected)
    assert len(codes.unique()) > 20
    assert not torch.equal(codes[0], codes[1])


def test_a_melody_model_gives_each_prompt_of_a_padded_batch_what_transformers_gives_it_alone(
    models: dict[str, Any],
) -> None:
    model = models["melody"]
    alone = [prompt[prompt != 0][None] for prompt in PROMPTS]
    expected = [generate(model, prompt, frames=16, do_sample=False, guidance_scale=3.0) for prompt in alone]
    codes = Decoder(model.decoder).decode(condition(model, PROMPTS), frames=16, seeds=[0] * 3, sampling=GREEDY)
    assert torch.equal(codes, torch.cat(expected))
    assert not torch.equal(codes[0], codes[1])


def test_a_melody_model_whose_padding_is_attended_gives_transformers_batch(models: dict[str, Any]) -> None:
    model = models["melody"]
    expected = generate(model, PROMPTS, frames=16, do_sample=False, guidance_scale=3.0)
    told = condition(model, PROMPTS)
    told = Condition(told.states, torch.ones_like(told.mask), told.null)
    codes = Decoder(model.decoder).decode(told, frames=16, seeds=[0] * 3, sampling=GREEDY)
    assert torch.equal(codes, expected)


def test_a_piece_beyond_the_table_of_positions_is_that_of_transformers() -> None:
    model = build(positions=8)
    codes = Decoder(model.decoder).decode(condition(model, PROMPTS), frames=24, seeds=[0] * 3, sampling=GREEDY)
    assert torch.equal(codes, generate(model, PROMPTS, frames=24, do_sample=False, guidance_scale=3.0))


def test_the_model_itself_is_left_as_it_was() -> None:
    model = build()
    weights = {name: weight.clone() for name, weight in model.named_parameters()}
    places = {weight.untyped_storage().data_ptr() for weight in model.decoder.parameters()}
    before = generate(model, PROMPTS, frames=8, do_sample=False, guidance_scale=3.0)
    decoder = Decoder(model.decoder)
    Decoder(model.decoder)
    assert all(torch.equal(weight, weights[name]) for name, weight in model.named_parameters())
    assert torch.equal(generate(model, PROMPTS, frames=8, do_sample=False, guidance_scale=3.0), before)
    assert torch.equal(decoder.decode(condition(model, PROMPTS), frames=8, seeds=[0] * 3, sampling=GREEDY), before)
    # Weights that are used together now lie together: fewer storages, none of them twice.
    after = {weight.untyped_storage().data_ptr() for weight in model.decoder.parameters()}
    assert len(after) < len(places)


@pytest.mark.parametrize("variant", VARIANTS)
def test_going_on_from_a_beginning_gives_what_the_whole_piece_has_there(models: dict[str, Any], variant: str) -> None:
    model = models[variant]
    decoder, told = Decoder(model.decoder), condition(model, PROMPTS)
    whole = decoder.decode(told, frames=20, seeds=[0] * 3, sampling=GREEDY)
    for known in (1, 8, 19):
        beginning = whole[:, :, :known]
        rest = decoder.decode(told, frames=20 - known, seeds=[0] * 3, sampling=GREEDY, beginning=beginning)
        assert torch.equal(rest, whole[:, :, known:])


def test_a_long_beginning_is_read_in_parts(models: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    decoder, told = Decoder(models["plain"].decoder), condition(models["plain"], PROMPTS)
    whole = decoder.decode(told, frames=20, seeds=[0] * 3, sampling=GREEDY)
    monkeypatch.setattr(session, "STATES_AT_ONCE", 30)
    rest = decoder.decode(told, frames=4, seeds=[0] * 3, sampling=GREEDY, beginning=whole[:, :, :16])
    assert torch.equal(rest, whole[:, :, 16:])


def test_going_on_from_codes_is_what_transformers_does_with_decoder_input_ids(models: dict[str, Any]) -> None:
    model = models["plain"]
    beginning = torch.randint(64, (3, 4, 6), generator=seeding.generator(2))
    given = beginning.flatten(0, 1)
    expected = generate(model, PROMPTS, frames=10, do_sample=False, guidance_scale=3.0, decoder_input_ids=given)
    rest = Decoder(model.decoder).decode(
        condition(model, PROMPTS), frames=10, seeds=[0] * 3, sampling=GREEDY, beginning=beginning
    )
    assert torch.equal(torch.cat([beginning, rest], dim=2), expected)


def test_an_item_of_which_all_is_masked_is_made_without_a_text(models: dict[str, Any]) -> None:
    model = models["plain"]
    told = condition(model, PROMPTS)
    silent = Condition(told.states, told.mask & torch.tensor([[True], [False], [True]]))
    decoder = Decoder(model.decoder)
    codes = decoder.decode(silent, frames=12, seeds=[0] * 3, sampling=GREEDY)
    nothing = Condition(torch.zeros(1, 2, 32), torch.ones(1, 2, dtype=torch.bool))
    without = decoder.decode(nothing, frames=12, seeds=[0], sampling=Sampling(greedy=True, guidance=1.0))
    assert torch.equal(codes[1], without[0])
    assert torch.equal(codes[0], decoder.decode(told, frames=12, seeds=[0] * 3, sampling=GREEDY)[0])


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_item_in_a_batch_of_sixteen_gives_the_codes_that_it_gives_alone(
    models: dict[str, Any], variant: str
) -> None:
    model = models[variant]
    length = 2 + torch.arange(16) % 9
    prompts = torch.randint(2, 40, (16, 10), generator=seeding.generator(3))
    prompts = prompts * (torch.arange(10) < length[:, None])
    told, seeds = condition(model, prompts), [100 + item for item in range(16)]
    decoder, sampling = Decoder(model.decoder), Sampling(top_k=40)
    together = decoder.decode(told, frames=24, seeds=seeds, sampling=sampling)
    for item in range(16):
        cut = prompts[item : item + 1, : int(length[item])]
        alone = decoder.decode(condition(model, cut), frames=24, seeds=[seeds[item]], sampling=sampling)
        # Sums are rounded otherwise in another batch; that moves a probability by 1e-6, and no drawn number is so near.
        assert torch.equal(alone[0], together[item])


def test_a_longer_piece_begins_as_a_shorter_one_but_for_the_end_of_that(models: dict[str, Any]) -> None:
    model = models["plain"]
    decoder, told = Decoder(model.decoder), condition(model, PROMPTS)
    short, long = (decoder.decode(told, frames=frames, seeds=[1, 2, 3]) for frames in (10, 30))
    assert torch.equal(short[:, :, :7], long[:, :, :7])


class NoWaiting(TorchDispatchMode):
    """Fails on whatever brings a number from the device to the processor, and counts all other operations."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, operation: Any, kinds: Any, given: Any = (), named: Any = None) -> Any:
        name = str(operation)
        if any(word in name for word in ("_local_scalar_dense", "is_nonzero", "nonzero", "equal.default")):
            raise RuntimeError(f"{name} waits for the device")
        self.operations += 1
        return operation(*given, **(named or {}))


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_in_a_decode_waits_for_the_device(
    models: dict[str, Any], variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the decode waits for the device")

    model = models[variant]
    decoder, told = Decoder(model.decoder), condition(model, PROMPTS)
    with monkeypatch.context() as patch:
        for name in ("item", "tolist", "cpu", "__bool__", "__int__", "__float__", "__index__"):
            patch.setattr(Tensor, name, refuse)
        with NoWaiting() as watched:
            decoder.decode(told, frames=6, seeds=[1, 2, 3])
    assert watched.operations > 100


def test_half_precision_decodes_on_a_processor_too() -> None:
    model = build()
    told = condition(model, PROMPTS)
    codes = Decoder(model.decoder.to(torch.bfloat16)).decode(told, frames=8, seeds=[1, 2, 3])
    assert codes.shape == (3, 4, 8)
    assert int(codes.min()) >= 0
    assert int(codes.max()) < 64


def test_nobody_gets_no_codes(models: dict[str, Any]) -> None:
    nobody = Condition(torch.zeros(0, 3, 32), torch.zeros(0, 3, dtype=torch.bool))
    assert Decoder(models["plain"].decoder).decode(nobody, frames=8, seeds=[]).shape == (0, 4, 8)


def test_the_estimate_of_memory_covers_what_is_kept_and_not_much_more(models: dict[str, Any]) -> None:
    network = read(models["plain"].decoder)
    shape = session.Shape(items=10, tokens=6, frames=400, sampling=Sampling())
    kept = session.Session(network, shape).kept_bytes
    estimated = 10 * Decoder(models["plain"].decoder).bytes_per_item(frames=400, tokens=6)
    assert kept < estimated < 1.3 * kept


def test_bad_input_is_refused(models: dict[str, Any]) -> None:
    model = models["plain"]
    decoder, told = Decoder(model.decoder), condition(model, PROMPTS)
    codes = torch.zeros(3, 4, 2, dtype=torch.int64)
    refused: list[tuple[str, dict[str, Any]]] = [
        ("frames: expected at least 1, got 0", {"frames": 0}),
        ("one per item, got 2 for 3", {"seeds": [1, 2]}),
        (r"got -1", {"seeds": [1, -1, 2]}),
        (r"states: expected \[N, tokens, 32\]", {"condition": Condition(torch.zeros(3, 6, 31), told.mask)}),
        (r"mask: expected bool \[3, 6\]", {"condition": Condition(told.states, told.mask.long())}),
        ("null: expected None", {"condition": Condition(told.states, told.mask, told.states)}),
        (r"beginning: expected int64 \[3, 4, B\]", {"beginning": codes[:2]}),
        ("codes from 0 to 63, got 0 to 64", {"beginning": torch.where(torch.arange(2) == 1, 64, codes)}),
    ]
    for message, change in refused:
        given: dict[str, Any] = {"condition": told, "frames": 4, "seeds": [1, 2, 3]} | change
        with pytest.raises(ValueError, match=message):
            decoder.decode(given.pop("condition"), **given)
    with pytest.raises(ValueError, match="MusicgenForCausalLM or MusicgenMelodyForCausalLM, got Linear"):
        Decoder(torch.nn.Linear(2, 2))
    for name, value in (("guidance", 0.5), ("temperature", 0.0), ("top_k", -1), ("guidance", float("nan"))):
        with pytest.raises(ValueError, match=name):
            Sampling(**{name: value})  # type: ignore[arg-type]
