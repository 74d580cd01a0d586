"""Riffusion: what prompts and embeddings sound like, in a batch as alone; and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from torch import Tensor

from models_store import devices
from models_store.generators.riffusion import generator as riffusion
from models_store.generators.riffusion import loading
from models_store.generators.riffusion.generator import Riffusion
from models_store.generators.riffusion.painting import Painter
from models_store.generators.riffusion.spectrogram import SAMPLE_RATE, Spectrograms
from tests.random_models import riffusion as random_riffusion
from tests.unit.alive import Alive

PROMPTS = ["jazz piano", "slow drums and church bells"]
SECONDS = 0.2
STEPS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_riffusion.write(tmp_path_factory.mktemp("riffusion") / "weights")


@pytest.fixture(scope="module")
def prepared(folder: Path) -> Iterator[Callable[..., Riffusion]]:
    """Makes generators that share one set of weights, which they do not change."""
    first = Riffusion(model=str(folder), inference_steps=STEPS)
    first.prepare()

    def make(**parameters: Any) -> Riffusion:
        made = Riffusion(model=str(folder), **{"inference_steps": STEPS} | parameters)
        made._loaded = first._loaded
        return made

    yield make
    first.release()


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A folder of its own, to spoil."""
    return random_riffusion.copy_of(folder, tmp_path / "copy")


@pytest.fixture(scope="module")
def spectrograms() -> Spectrograms:
    return Spectrograms()


@pytest.fixture(scope="module")
def heard(prepared: Callable[..., Riffusion]) -> Tensor:
    """What the two prompts sound like with seeds 1 and 2, [N, time]."""
    return played(prepared(), PROMPTS)


@pytest.fixture(scope="module")
def pictures(prepared: Callable[..., Riffusion]) -> Tensor:
    """What is painted for them, [N, 512, 512]."""
    return painted(prepared(), PROMPTS, [1, 2])


def played(player: Riffusion, genomes: Any, *, seeds: list[int] | None = None, seconds: float = SECONDS) -> Tensor:
    """[N, time]"""
    audio = player.generate(genomes, seconds=seconds, seeds=[1, 2][: len(genomes)] if seeds is None else seeds)
    assert audio.sample_rate == SAMPLE_RATE
    return audio.samples[:, 0]


def off(first: Tensor, second: Tensor) -> float:
    """How far two sounds are from each other, of the size of the second."""
    return float((first - second).norm() / second.norm())


def painted(player: Riffusion, prompts: list[str], seeds: list[int], *, width: int = 512) -> Tensor:
    """Darkness [N, 512, width]."""
    parts = player._prepared()
    noise = parts.painter.noise(seeds, width=width)
    return parts.painter.paint(parts.listening.prompts(prompts), noise, steps=STEPS, guidance=7.0)


def test_a_picture_is_the_one_that_the_pipeline_of_diffusers_paints(
    prepared: Callable[..., Riffusion], folder: Path
) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True, safety_checker=None)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        PROMPTS,
        num_inference_steps=STEPS,
        guidance_scale=7.0,
        generator=[torch.Generator().manual_seed(seed) for seed in (3, 4)],
        output_type="pt",
    ).images  # [N, 3, 512, 512] in [0, 1], 0 is black

    ours = painted(prepared(), PROMPTS, [3, 4])

    cut = (theirs > 0) & (theirs < 1)  # the pipeline cuts each colour, and we their mean
    inside = cut.all(dim=1)
    assert float(inside.float().mean()) > 0.5
    torch.testing.assert_close(ours[inside], 1 - theirs.mean(dim=1)[inside], atol=2e-3, rtol=0)


def test_a_piece_in_a_batch_is_the_piece_alone(
    prepared: Callable[..., Riffusion], heard: Tensor, pictures: Tensor
) -> None:
    player = prepared()
    for place, prompt in enumerate(PROMPTS):
        torch.testing.assert_close(painted(player, [prompt], [place + 1])[0], pictures[place], atol=1e-3, rtol=0)
        # Griffin-Lim makes much of the last bits of a picture: what is heard is the same, the samples are nearly.
        assert off(played(player, [prompt], seeds=[place + 1])[0], heard[place]) < 0.1
    assert off(heard[0], heard[1]) > 0.5


def test_pieces_painted_in_parts_are_the_same(
    prepared: Callable[..., Riffusion], pictures: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = Painter._denoised

    def noted(self: Painter, heard: Tensor, *rest: Any, **more: Any) -> Tensor:
        asked.append(len(heard))
        return real(self, heard, *rest, **more)

    monkeypatch.setattr(Painter, "_denoised", noted)
    monkeypatch.setattr(devices, "free_memory", lambda _: 1)
    parts = painted(prepared(), PROMPTS, [1, 2])
    assert asked == [1, 1]
    torch.testing.assert_close(parts, pictures, atol=1e-3, rtol=0)


@pytest.mark.parametrize("width", [512, 1024])
def test_the_estimate_of_memory_is_what_is_alive_at_the_peak_and_not_much_more(
    prepared: Callable[..., Riffusion], width: int
) -> None:
    parts = prepared()._prepared()
    noise = parts.painter.noise([1], width=width)
    heard = parts.listening.prompts(PROMPTS[:1])
    estimates = parts.painter._denoising_bytes(noise), parts.painter._developing_bytes(noise)
    with Alive() as denoising:
        latents = parts.painter._denoised(heard, noise, steps=1, guidance=7.0)
    with Alive() as developing, torch.no_grad():
        parts.painter._developed(latents)
    for estimate, peak in zip(estimates, (denoising.peak, developing.peak), strict=True):
        assert peak < 1.1 * estimate < 8 * peak


def test_the_same_prompt_as_token_embeddings_or_encoded_sounds_the_same(
    prepared: Callable[..., Riffusion], folder: Path, heard: Tensor
) -> None:
    tokens = riffusion.vocabulary(str(folder)).embed(PROMPTS, length=40)
    encoded = riffusion.encoded_prompts(str(folder)).embed(PROMPTS, length=77)
    assert off(played(prepared(input_type="token_embeddings"), tokens), heard) < 1e-3
    assert off(played(prepared(input_type="embeddings"), encoded), heard) < 1e-3


def test_a_generator_of_token_embeddings_plays_prompts_as_well(
    prepared: Callable[..., Riffusion], heard: Tensor
) -> None:
    assert torch.equal(played(prepared(input_type="token_embeddings"), PROMPTS), heard)


def test_short_token_embeddings_are_padded_as_the_tokenizer_pads(
    prepared: Callable[..., Riffusion], folder: Path
) -> None:
    listening = prepared()._prepared().listening
    vocabulary = riffusion.vocabulary(str(folder))
    short = listening.token_embeddings(vocabulary.embed(["jazz piano"], length=4))
    torch.testing.assert_close(short, listening.prompts(["jazz piano"]), atol=1e-5, rtol=0)


def test_positions_that_an_encoded_genome_lacks_are_those_of_an_empty_prompt(
    prepared: Callable[..., Riffusion], folder: Path
) -> None:
    listening = prepared()._prepared().listening
    encoded = riffusion.encoded_prompts(str(folder)).embed(PROMPTS, length=8)
    gap = encoded.clone()
    gap[:, 3] = 0.0
    gap[:, 6:] = 0.0

    whole, with_gap = listening.embeddings(encoded), listening.embeddings(gap)

    assert torch.equal(whole[:, :8], encoded)
    assert torch.equal(whole[:, 8:], listening.nothing[8:].expand(2, -1, -1))
    assert torch.equal(with_gap[:, :6], gap[:, :6])
    assert torch.equal(with_gap[:, 6:], listening.nothing[6:].expand(2, -1, -1))


def test_prompts_are_read_back_from_their_tokens_and_encodings(folder: Path) -> None:
    vocabulary, space = riffusion.vocabulary(str(folder)), riffusion.encoded_prompts(str(folder))
    assert vocabulary.embeddings.shape[1] == 32
    assert vocabulary.nearest(vocabulary.embed(PROMPTS, length=40)) == PROMPTS
    assert space.nearest(space.embed(PROMPTS, length=40)) == PROMPTS
    assert not any(random_riffusion.START in prompt for prompt in vocabulary.prompts(vocabulary.ids(PROMPTS, length=9)))


def test_genomes_longer_than_clip_reads_are_refused_when_they_are_made(folder: Path) -> None:
    for space in (riffusion.vocabulary(str(folder)), riffusion.encoded_prompts(str(folder))):
        with pytest.raises(ValueError, match="length: expected at most 77 tokens, got 78"):
            space.embed(PROMPTS, length=78)


def test_another_seed_or_prompt_is_another_piece_and_the_same_is_the_same(prepared: Callable[..., Riffusion]) -> None:
    before = torch.get_rng_state()
    first = played(prepared(), [PROMPTS[0]] * 2, seeds=[5, 6])
    assert off(first[0], first[1]) > 0.5
    assert torch.equal(first, played(prepared(), [PROMPTS[0]] * 2, seeds=[5, 6]))
    assert off(first[0], played(prepared(), [PROMPTS[1]], seeds=[5])[0]) > 0.1
    assert torch.equal(torch.get_rng_state(), before)


def test_steps_and_guidance_change_what_is_heard(prepared: Callable[..., Riffusion], heard: Tensor) -> None:
    assert off(played(prepared(inference_steps=STEPS + 1), PROMPTS[:1]), heard[:1]) > 0.1
    assert off(played(prepared(guidance=3.0), PROMPTS[:1]), heard[:1]) > 0.1


def test_guidance_of_one_hears_the_prompt_alone(prepared: Callable[..., Riffusion]) -> None:
    parts = prepared()._prepared()
    told, noise = parts.listening.prompts(PROMPTS), parts.painter.noise([1, 2], width=512)
    alone = parts.painter.paint(told, noise, steps=STEPS, guidance=1.0)
    nearly = parts.painter.paint(told, noise, steps=STEPS, guidance=1.0 + 1e-6)
    torch.testing.assert_close(alone, nearly, atol=1e-3, rtol=0)


@pytest.mark.parametrize("seconds", [2e-5, 0.01, 0.3456, 5.2])
def test_a_piece_has_the_length_that_was_asked_for(prepared: Callable[..., Riffusion], seconds: float) -> None:
    sound = played(prepared(inference_steps=1), PROMPTS[:1], seconds=seconds)
    assert sound.shape == (1, max(1, round(seconds * SAMPLE_RATE)))
    assert torch.isfinite(sound).all()


@pytest.mark.parametrize(("seconds", "width"), [(0.1, 512), (5.0, 512), (5.11, 512), (5.12, 576), (20.0, 2048)])
def test_a_longer_piece_is_a_wider_picture_and_a_shorter_one_not_narrower(seconds: float, width: int) -> None:
    assert riffusion._width(round(seconds * SAMPLE_RATE)) == width


def test_no_genome_makes_no_sound(prepared: Callable[..., Riffusion]) -> None:
    assert played(prepared(), []).shape == (0, round(SECONDS * SAMPLE_RATE))


def test_a_genome_that_overflows_the_network_is_silent_and_leaves_its_neighbour_alone(
    prepared: Callable[..., Riffusion], folder: Path
) -> None:
    genomes = riffusion.encoded_prompts(str(folder)).embed(PROMPTS, length=77)
    alone = played(prepared(input_type="embeddings"), genomes[1:], seeds=[2])
    genomes[0] = 3e38
    sound = played(prepared(input_type="embeddings"), genomes)
    assert torch.equal(sound[0], torch.zeros_like(sound[0]))
    assert off(sound[1], alone[0]) < 0.1


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), 20.01])
def test_a_length_that_cannot_be_played_is_refused(prepared: Callable[..., Riffusion], seconds: float) -> None:
    with pytest.raises(ValueError, match="riffusion: seconds: expected more than 0 and at most 20, got"):
        prepared().generate(PROMPTS, seconds=seconds, seeds=[1, 2])


@pytest.mark.parametrize(
    ("genomes", "seeds", "told"),
    [
        (PROMPTS, [1], "expected one per genome, got 1 for 2"),
        (PROMPTS, [1, -2], r"seeds\[1\].*got -2"),
        (["jazz", ""], [1, 2], r"genomes\[1\].*empty"),
        ([" \n"], [1], r"genomes\[0\].*empty"),
        ("jazz", [1, 2, 3, 4], "expected a list of prompts"),
        (["jazz", 3], [1, 2], r"genomes\[1\]: expected a prompt, got 3"),
        (["jazz", "piano " * 10_000], [1, 2], r"genomes\[1\].*at most 77 tokens, got 10002"),
        (torch.zeros(1, 4, 32), [1], "expected prompts, got a tensor"),
    ],
)
def test_prompts_and_seeds_that_cannot_be_played_are_refused(
    prepared: Callable[..., Riffusion], genomes: Any, seeds: list[int], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        prepared().generate(genomes, seconds=SECONDS, seeds=seeds)


def _spoilt(value: float) -> Tensor:
    genomes = torch.ones(2, 4, 32)
    genomes[1, 2, 3] = value
    return genomes


@pytest.mark.parametrize("input_type", ["token_embeddings", "embeddings"])
@pytest.mark.parametrize(
    ("genomes", "told"),
    [
        (_spoilt(float("nan")), r"finite.*got 1 NaN.*\[1, 2, 3\]"),
        (_spoilt(float("-inf")), r"finite.*got 1 NaN or infinite.*\[1, 2, 3\]"),
        (torch.ones(2, 4, 33), r"\[N, tokens, 32\], got shape \(2, 4, 33\)"),
        (torch.ones(2, 32), r"\[N, tokens, 32\], got shape \(2, 32\)"),
        (torch.tensor(1.0), r"\[N, tokens, 32\], got shape \(\)"),
        (torch.ones(2, 78, 32), "1 to 77 tokens, got 78"),
        (torch.ones(2, 0, 32), "1 to 77 tokens, got 0"),
        (torch.ones(2, 4, 32, dtype=torch.long), "floats, got torch.int64"),
    ],
)
def test_embeddings_that_cannot_be_played_are_refused(
    prepared: Callable[..., Riffusion], input_type: str, genomes: Tensor, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        prepared(input_type=input_type).generate(genomes, seconds=SECONDS, seeds=[1, 2])


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"input_type": "audio"}, "input_type.*got 'audio'"),
        ({"inference_steps": 0}, "inference_steps from 1 to 500, got 0"),
        ({"inference_steps": 501}, "inference_steps from 1 to 500, got 501"),
        ({"inference_steps": 2.5}, "inference_steps from 1 to 500, got 2.5"),
        ({"guidance": float("nan")}, "guidance from 1 to 100, got nan"),
        ({"guidance": 0.5}, "guidance from 1 to 100, got 0.5"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(parameters: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Riffusion(**parameters)


@pytest.mark.parametrize("steps", [1, 2, 499, 500])
def test_the_solver_takes_as_many_different_steps_as_asked(folder: Path, steps: int) -> None:
    solver = loading.solver(loading.noise_schedule(folder))
    solver.set_timesteps(steps)
    assert len(set(solver.timesteps.tolist())) == steps


def test_a_released_generator_can_be_prepared_again(folder: Path, heard: Tensor) -> None:
    player = Riffusion(model=str(folder), inference_steps=STEPS)
    player.prepare()
    loaded = player._loaded
    player.prepare()
    assert player._loaded is loaded
    player.release()
    with pytest.raises(RuntimeError, match="prepare"):
        player.generate(PROMPTS, seconds=SECONDS, seeds=[1, 2])
    player.prepare("cpu")
    assert torch.equal(played(player, PROMPTS), heard)


def test_bfloat16_paints_nearly_the_same(pictures: Tensor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "number_type", lambda _: torch.bfloat16)
    half = Riffusion(model=str(folder), inference_steps=STEPS)
    half.prepare()
    rough = painted(half, PROMPTS, [1, 2])
    assert rough.dtype == torch.float32
    assert float((rough - pictures).abs().mean()) < 0.1 * float((pictures - pictures.mean()).abs().mean())
    assert played(half, PROMPTS).dtype == torch.float32
