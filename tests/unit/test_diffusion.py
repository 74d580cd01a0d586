"""The diffusion families behind one class: each plays as its pipeline does, a batch as each piece alone."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models_store import devices, seeding
from models_store.generators import diffusion
from models_store.generators.diffusion import DiffusionGenerator, families, waveforms
from models_store.generators.diffusion.families import FAMILIES, Family
from models_store.generators.diffusion.playing import Player, Request
from tests.random_models import diffusion as random_diffusion

PROMPTS = ["slow jazz piano", "techno", "happy flute with drums"]
SECONDS, STEPS = 1.0, 2
NAMES = [family.name for family in FAMILIES]
NUMERIC = [family.name for family in FAMILIES if "embeddings" in family.genome_kinds]
CLOSE: dict[str, Any] = {"atol": 2e-5, "rtol": 1e-4}

Make = Callable[..., DiffusionGenerator]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    where = tmp_path_factory.mktemp("diffusion")
    return {name: random_diffusion.write(where / name, name) for name in NAMES}


@pytest.fixture(scope="session")
def make(folders: dict[str, Path]) -> Make:
    """Prepared generators, one for each set of parameters."""
    made: dict[str, DiffusionGenerator] = {}

    def give(name: str, **parameters: Any) -> DiffusionGenerator:
        key = f"{name} {sorted(parameters.items())}"
        if key not in made:
            made[key] = DiffusionGenerator(name, model=str(folders[name]), **({"inference_steps": STEPS} | parameters))
            made[key].prepare("cpu")
        return made[key]

    return give


def _player(generator: DiffusionGenerator) -> Player:
    player = generator._player
    assert player is not None
    return player


def _play(generator: DiffusionGenerator, genomes: Any, seeds: Sequence[int], seconds: float = SECONDS) -> Tensor:
    return generator.generate(genomes, seconds=seconds, seeds=seeds).samples


@pytest.mark.parametrize("name", NAMES)
def test_a_piece_has_the_familys_rate_channels_and_length(make: Make, name: str) -> None:
    family = families.find(name)
    audio = make(name).generate(PROMPTS[:2], seconds=1.237, seeds=[1, 2])
    assert audio.sample_rate == family.sample_rate
    assert audio.samples.shape == (2, family.channels, round(1.237 * family.sample_rate))
    assert audio.samples.dtype == torch.float32
    assert torch.isfinite(audio.samples).all()
    assert (audio.samples.std(dim=-1) > 1e-3).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_piece_in_a_batch_is_the_piece_alone(make: Make, name: str) -> None:
    prompts, seeds = [*PROMPTS, "guitar"], [5, 6, 7, 8]  # two of one length, so that some are played together anyhow
    together = _play(make(name), prompts, seeds)
    for place, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
        torch.testing.assert_close(together[place], _play(make(name), [prompt], [seed])[0], **CLOSE)


@pytest.mark.parametrize("name", NAMES)
def test_the_sound_depends_on_the_seed_and_on_the_prompt(make: Make, name: str) -> None:
    first, again, other_seed, other_prompt = (
        _play(make(name), [prompt], [seed])[0] for prompt, seed in (("jazz", 1), ("jazz", 1), ("jazz", 2), ("rock", 1))
    )
    assert torch.equal(first, again)
    assert (first - other_seed).abs().max() > 1e-3
    assert (first - other_prompt).abs().max() > 1e-4


def _plainly(generator: DiffusionGenerator, prompt: str, seed: int, steps: int, guidance: float) -> Tensor:
    """[channels, time]: as the pipeline itself plays one prompt, reading and decoding included."""
    player = _player(generator)
    pipe, request = player.pipe, Request([prompt], "text", SECONDS, 1, steps, guidance)
    draw = seeding.generator(seed)
    noise = torch.randn((1, *player.latent_shape(request)), generator=draw)
    asked: dict[str, Any] = {"prompt": [prompt], "num_inference_steps": steps, "guidance_scale": guidance}
    asked |= player.length(request) | {"generator": [draw], "latents": noise, "output_type": "pt"}
    if generator.name == "musicldm":  # its own reading of text does not run with transformers 5
        del asked["prompt"]
        for key, text in (("prompt_embeds", prompt), ("negative_prompt_embeds", "")):
            words = pipe.tokenizer([text], padding="max_length", return_tensors="pt")
            asked[key] = pipe.text_encoder.get_text_features(**words).pooler_output
    if generator.name == "ace-step":
        asked["lyrics"] = [waveforms.ACE_STEP_LYRICS]
    audio: Tensor = pipe(**asked).audios
    return audio.view(-1, audio.shape[-1])


@pytest.mark.parametrize("name", NAMES)
def test_a_piece_is_what_the_pipeline_itself_plays(make: Make, name: str) -> None:
    generator = make(name)
    steps, guidance = _player(generator).settings(STEPS, None)
    expected = _plainly(generator, PROMPTS[2], 9, steps, guidance)
    played = _play(generator, [PROMPTS[2]], [9])[0]
    length = min(played.shape[-1], expected.shape[-1])
    assert length >= played.shape[-1] - 1
    torch.testing.assert_close(played[:, :length], expected[:, :length], **CLOSE)


@pytest.mark.parametrize("name", NAMES)
def test_no_global_random_number_is_drawn(make: Make, name: str) -> None:
    before = torch.get_rng_state()
    _play(make(name), PROMPTS[:1], [3])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", NAMES)
def test_more_steps_and_more_guidance_sound_otherwise(make: Make, name: str) -> None:
    guided = {} if name == "ace-step" else {"guidance": 5.0}  # a turbo model takes none
    usual = _play(make(name), ["jazz"], [1])
    assert (usual - _play(make(name, inference_steps=4), ["jazz"], [1])).abs().max() > 1e-4
    if guided:
        assert (usual - _play(make(name, **guided), ["jazz"], [1])).abs().max() > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_no_prompts_make_no_pieces(make: Make, name: str) -> None:
    assert _play(make(name), [], []).shape == (0, families.find(name).channels, families.find(name).sample_rate)


@pytest.mark.parametrize("name", NAMES)
def test_memory_that_runs_out_halves_the_parts_and_changes_nothing(
    make: Make, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, prompts = make(name), ["jazz", "rock", "funk"]
    expected, player = _play(generator, prompts, [1, 2, 3]), _player(generator)
    sizes: list[int] = []

    def scarce(latents: Tensor) -> Tensor:
        sizes.append(len(latents))
        if len(latents) > 1:
            raise torch.OutOfMemoryError("no memory left")
        return sound(latents)

    sound = player.sound
    monkeypatch.setattr(player, "sound", scarce)
    torch.testing.assert_close(_play(generator, prompts, [1, 2, 3]), expected, **CLOSE)
    assert sizes == [3, 1, 1, 1]


@pytest.mark.parametrize("name", NAMES)
def test_in_the_numbers_of_a_gpu_it_sounds_nearly_the_same(
    make: Make, folders: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = _play(make(name), ["jazz"], [1])[0].flatten()
    monkeypatch.setattr(devices, "number_type", lambda _: torch.bfloat16)
    rounded = DiffusionGenerator(name, model=str(folders[name]), inference_steps=STEPS)
    rounded.prepare("cpu")
    played = _play(rounded, ["jazz"], [1])[0]
    assert played.dtype == torch.float32
    assert rounded._player is not None
    assert {weight.dtype for weight in rounded._player.pipe.vae.parameters()} == {torch.float32}
    assert torch.corrcoef(torch.stack([exact, played.flatten()]))[0, 1] > 0.995


@pytest.mark.parametrize("name", NUMERIC)
def test_a_prompts_token_embeddings_sound_as_the_prompt(make: Make, folders: dict[str, Path], name: str) -> None:
    vocabulary = diffusion.vocabulary(name, str(folders[name]))
    genomes = vocabulary.embed(PROMPTS, length=32)
    assert genomes.shape == (3, 32, vocabulary.dim)
    played = _play(make(name, input_type="token_embeddings"), genomes, [1, 2, 3])
    torch.testing.assert_close(played, _play(make(name), PROMPTS, [1, 2, 3]), **CLOSE)
    assert vocabulary.nearest(genomes)[1] == "techno"


@pytest.mark.parametrize("name", NUMERIC)
def test_a_prompts_embeddings_sound_as_the_prompt(make: Make, folders: dict[str, Path], name: str) -> None:
    space = diffusion.encoded_prompts(name, str(folders[name]))
    genomes = space.embed(PROMPTS, length=1 if name == "musicldm" else 32)
    generator = make(name, input_type="embeddings")
    torch.testing.assert_close(_play(generator, genomes, [1, 2, 3]), _play(make(name), PROMPTS, [1, 2, 3]), **CLOSE)
    assert [text.replace(" ", "") for text in space.nearest(genomes)] == [text.replace(" ", "") for text in PROMPTS]


@pytest.mark.parametrize("name", NUMERIC)
def test_padding_between_tokens_is_heard_and_padding_after_them_is_not(
    make: Make, folders: dict[str, Path], name: str
) -> None:
    generator = make(name, input_type="token_embeddings")
    words = diffusion.vocabulary(name, str(folders[name])).embed(["jazz"], length=12)
    after = torch.cat([words, words[:, -1:].expand(-1, 4, -1)], dim=1)
    before = torch.cat([words[:, :1], words[:, -1:].expand(-1, 4, -1), words[:, 1:]], dim=1)
    played, padded, gapped = (_play(generator, genomes, [1]) for genomes in (words, after, before))
    torch.testing.assert_close(played, padded, **CLOSE)
    assert (played - gapped).abs().max() > 1e-4


@pytest.mark.parametrize("name", NUMERIC)
def test_genomes_of_nothing_but_padding_are_played(make: Make, folders: dict[str, Path], name: str) -> None:
    vocabulary = diffusion.vocabulary(name, str(folders[name]))
    nothing = vocabulary.embeddings[vocabulary.pad_id].expand(1, 4, -1)
    assert torch.isfinite(_play(make(name, input_type="token_embeddings"), nothing, [1])).all()
    dim = diffusion.encoded_prompts(name, str(folders[name])).embed(["a"], length=1 if name == "musicldm" else 8)
    assert torch.isfinite(_play(make(name, input_type="embeddings"), torch.zeros_like(dim), [1])).all()


def test_a_vector_of_musicldm_is_heard_by_its_direction(make: Make, folders: dict[str, Path]) -> None:
    genomes = diffusion.encoded_prompts("musicldm", str(folders["musicldm"])).embed(["jazz"], length=1)
    generator = make("musicldm", input_type="embeddings")
    torch.testing.assert_close(_play(generator, 0.1 * genomes, [1]), _play(generator, genomes, [1]), **CLOSE)


def _broken(place: tuple[int, int, int], value: float, shape: tuple[int, int, int]) -> Tensor:
    genomes = torch.zeros(shape)
    genomes[place] = value
    return genomes


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("genomes", "seconds", "seeds", "told"),
    [
        ([""], 1.0, [1], "expected a prompt"),
        (["jazz", " \n"], 1.0, [1, 2], r"genomes\[1\]: expected a prompt"),
        ([3], 1.0, [1], "expected a prompt"),
        ("jazz", 1.0, [1, 2, 3, 4], "list of prompts"),
        (["jazz " * 10_000], 1.0, [1], r"at most \d+ tokens, got \d{4,}"),
        (["jazz"], 0.0, [1], "seconds: expected more than 0"),
        (["jazz"], -1.0, [1], "seconds: expected more than 0"),
        (["jazz"], math.nan, [1], "seconds: expected more than 0"),
        (["jazz"], 601.0, [1], r"at most [\d.]+, got 601"),
        (["jazz"], 1.0, [1, 2], "one per genome"),
        (["jazz"], 1.0, [-1], r"seeds\[0\]"),
        (torch.zeros(1, 4, 32), 1.0, [1], "expected prompts.*it plays.*text"),
    ],
    ids=[
        *("empty", "blank", "number", "one text", "long", "no seconds", "negative", "nan", "too long"),
        *("too many seeds", "negative seed", "tensor"),
    ],
)
def test_what_cannot_be_played_is_refused(
    make: Make, name: str, genomes: Any, seconds: float, seeds: list[int], told: str
) -> None:
    with pytest.raises(ValueError, match=f"(?s)^{name}: .*{told}"):
        make(name).generate(genomes, seconds=seconds, seeds=seeds)


@pytest.mark.parametrize("name", NUMERIC)
@pytest.mark.parametrize("kind", ["token_embeddings", "embeddings"])
def test_numbers_that_cannot_be_played_are_refused(make: Make, folders: dict[str, Path], name: str, kind: str) -> None:
    generator = make(name, input_type=kind)
    dim = {"token_embeddings": 16 if name == "musicldm" else 32, "embeddings": 24 if name == "musicldm" else 32}[kind]
    tokens = 1 if (name, kind) == ("musicldm", "embeddings") else 4
    for genomes, told in (
        (_broken((0, tokens - 1, 3), math.nan, (1, tokens, dim)), r"got 1 NaN or infinite.*\[0, \d, 3\]"),
        (_broken((0, 0, 0), math.inf, (1, tokens, dim)), "got 1 NaN or infinite"),
        (torch.zeros(1, 10_000, dim), r"expected embeddings of 1 to \d+ tokens, got 10000"),
        (torch.zeros(1, tokens, dim + 1), rf"expected embeddings \[N, tokens, {dim}\]"),
        (torch.zeros(1, dim), r"expected embeddings \[N, tokens"),
        (torch.zeros(1, tokens, dim, dtype=torch.int64), "expected embeddings of floats"),
    ):
        with pytest.raises(ValueError, match=f"{name}: .*{told}"):
            _play(generator, genomes, [1])
    assert torch.isfinite(_play(generator, PROMPTS[:1], [1])).all()


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_what_a_family_cannot_do_is_refused_with_what_it_can(family: Family) -> None:
    kinds = {"text", "token_embeddings", "embeddings"} - family.genome_kinds
    for kind in (*kinds, "pictures"):
        with pytest.raises(ValueError, match=rf"{family.name}: expected input_type .*text.*, got '{kind}'"):
            DiffusionGenerator(family.name, input_type=kind)
    for parameters, told in (
        ({"inference_steps": 0}, "inference_steps from 1 to 1000, got 0"),
        ({"inference_steps": 2.5}, "inference_steps from 1 to 1000, got 2.5"),
        ({"inference_steps": True}, "inference_steps from 1 to 1000, got True"),
        ({"guidance": math.nan}, "guidance from 0 to 100, got nan"),
        ({"guidance": -1.0}, "guidance from 0 to 100, got -1.0"),
    ):
        with pytest.raises(ValueError, match=f"{family.name}: expected {told}"):
            DiffusionGenerator(family.name, **parameters)
    for kind, ask in (("token_embeddings", diffusion.vocabulary), ("embeddings", diffusion.encoded_prompts)):
        if kind in kinds:
            with pytest.raises(ValueError, match=f"{family.name}: expected text, which it plays, got {kind}"):
                ask(family.name)


def test_another_family_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"expected one of musicldm, .*got 'stable-audo' \(did you mean 'stable-audio'"
    ):
        DiffusionGenerator("stable-audo")


@pytest.mark.parametrize("name", NAMES)
def test_a_released_generator_gives_its_memory_back_and_can_be_prepared_again(
    folders: dict[str, Path], name: str
) -> None:
    generator = DiffusionGenerator(name, model=str(folders[name]), inference_steps=STEPS)
    with pytest.raises(RuntimeError, match="prepare"):
        _play(generator, ["jazz"], [1])
    generator.prepare()
    player = _player(generator)
    generator.prepare()
    assert _player(generator) is player
    played = _play(generator, ["jazz"], [1])
    loaded = weakref.ref(player.pipe.vae)
    del player
    generator.release()
    gc.collect()
    assert loaded() is None
    generator.prepare()
    assert torch.equal(played, _play(generator, ["jazz"], [1]))


def test_a_short_piece_of_ace_step_is_the_beginning_of_ten_seconds(make: Make) -> None:
    generator = make("ace-step")
    short, whole = _play(generator, ["jazz"], [1], 0.5), _play(generator, ["jazz"], [1], 10.0)
    torch.testing.assert_close(short, whole[..., : short.shape[-1]], **CLOSE)


def test_the_longest_piece_of_stable_audio_is_whole(make: Make) -> None:
    played = _play(make("stable-audio"), ["jazz"], [1], 47.5)
    assert played.shape == (1, 2, 2_094_750)
    assert played[..., -1000:].std() > 1e-3


@pytest.mark.parametrize(("name", "tile"), [("stable-audio-3", 8), ("ace-step", None)])
def test_a_piece_decoded_in_tiles_is_the_piece_decoded_at_once(
    make: Make, name: str, tile: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = _player(make(name))
    frames = 60 if tile else 700
    request = Request(["jazz"], "text", 10.0, 1, STEPS, 1.0)
    channels = player.latent_channels()
    shape = (1, channels, frames) if player.latent_shape(request)[0] == channels else (1, frames, channels)
    latents = torch.randn(shape, generator=seeding.generator(0))
    if tile:
        monkeypatch.setattr(waveforms, "SAME_TILE", tile)
        tiled = player.sound(latents)
        monkeypatch.setattr(waveforms, "SAME_TILE", frames)
    else:
        tiled = player.sound(latents)
        monkeypatch.setattr(player.pipe.vae, "use_tiling", False)
    torch.testing.assert_close(tiled, player.sound(latents), **CLOSE)


def test_models_that_are_not_distilled_take_guidance_and_more_steps(tmp_path: Path) -> None:
    for name, parameters, usual in (
        ("stable-audio-3", {"distilled": False}, (100, 1.0)),
        ("ace-step", {"turbo": False}, (50, 7.0)),
    ):
        folder = random_diffusion.write(tmp_path / name, name, **parameters)
        generator = DiffusionGenerator(name, model=str(folder), inference_steps=STEPS, guidance=4.0)
        generator.prepare()
        assert _player(generator).settings(None, None) == usual
        together = _play(generator, PROMPTS[:2], [1, 2])
        torch.testing.assert_close(together[1], _play(generator, PROMPTS[1:2], [2])[0], **CLOSE)


def test_a_turbo_model_refuses_guidance(folders: dict[str, Path]) -> None:
    generator = DiffusionGenerator("ace-step", model=str(folders["ace-step"]), guidance=7.0)
    with pytest.raises(ValueError, match=r"ace-step: expected guidance 1 or none for a turbo model.*got 7\.0"):
        generator.prepare()
