"""MusicGen from a folder of random weights: the same code, architecture and files as the published models."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models_store import devices, seeding
from models_store.generators.musicgen import decoding
from models_store.generators.musicgen import generator as generators
from models_store.generators.musicgen.generator import MusicGen
from tests.random_models import musicgen
from tests.unit.small_musicgen import CLOSE, PROMPTS, SECONDS, SEEDS, apart, play, prepared

VARIANTS: dict[str, dict[str, Any]] = {"mono": {}, "stereo": {"stereo": True}, "melody": {"melody": True}}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: musicgen.write(tmp_path_factory.mktemp(name), **options) for name, options in VARIANTS.items()}


@pytest.fixture(scope="module")
def folder(folders: dict[str, Path]) -> Path:
    return folders["mono"]


@pytest.fixture(scope="module")
def player(folder: Path) -> MusicGen:
    return prepared(folder)


@pytest.fixture(scope="module")
def sound(player: MusicGen) -> Tensor:
    return play(player)


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_plays_what_transformers_generate_plays(folders: dict[str, Path], variant: str) -> None:
    reference, tokenizer = musicgen.model(**VARIANTS[variant]), musicgen.tokenizer()
    played = play(prepared(folders[variant], greedy=True))
    for prompt, own in zip(PROMPTS, played, strict=True):
        steps = math.ceil(SECONDS * 50) + 3  # the last codebook is 3 steps late
        tokens = tokenizer([prompt], return_tensors="pt")
        expected = reference.generate(**tokens, do_sample=False, guidance_scale=3.0, max_new_tokens=steps)[0]
        assert apart(own, expected[..., : own.shape[-1]]) < CLOSE


@pytest.mark.parametrize("variant", VARIANTS)
def test_text_its_token_embeddings_and_its_embeddings_sound_the_same(folders: dict[str, Path], variant: str) -> None:
    model = str(folders[variant])
    said = play(prepared(folders[variant]))
    assert said.shape == (3, 2 if variant == "stereo" else 1, 16_000)
    tokens = generators.vocabulary(model).embed(PROMPTS, length=20)
    assert apart(play(prepared(folders[variant], input_type="token_embeddings"), tokens), said) < CLOSE
    states = generators.encoded_prompts(model).embed(PROMPTS, length=20)
    assert apart(play(prepared(folders[variant], input_type="embeddings"), states), said) < CLOSE


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_prompt_in_a_batch_of_64_sounds_as_it_does_alone(folders: dict[str, Path], variant: str) -> None:
    player = prepared(folders[variant])
    prompts = [" ".join(["calm piano", *["drums"] * (at % 7)]) for at in range(64)]
    together = play(player, prompts, list(range(64)), 0.2)
    for at in (0, 6, 41, 63):
        assert apart(play(player, [prompts[at]], [at], 0.2), together[at : at + 1]) < CLOSE


def test_what_fits_into_little_memory_sounds_the_same(
    player: MusicGen, sound: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "free_memory", lambda _: 1)
    assert apart(play(player), sound) < CLOSE


@pytest.mark.parametrize("variant", VARIANTS)
def test_in_bfloat16_it_plays_too(folders: dict[str, Path], variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "number_type", lambda _: torch.bfloat16)
    made = play(prepared(folders[variant]))
    assert made.dtype == torch.float32
    assert made.shape[-1] == 16_000
    assert torch.isfinite(made).all()
    assert made.std() > 0.01
    assert apart(play(prepared(folders[variant])), made) == 0.0


def test_every_genome_and_every_seed_has_its_sound(player: MusicGen, sound: Tensor) -> None:
    others = play(player, [PROMPTS[0], PROMPTS[0], PROMPTS[1]], [1, 9, 1])
    assert apart(others[0], sound[0]) < CLOSE
    assert apart(others[1], sound[0]) > 0.01
    assert apart(others[2], sound[0]) > 0.01
    assert torch.isfinite(sound).all()
    assert sound.std() > 0.01


def test_numpys_numbers_play_as_pythons(folder: Path, sound: Tensor) -> None:
    player = prepared(folder, guidance=np.float32(3), temperature=np.float64(1), top_k=np.int64(250))
    assert torch.equal(play(player, seeds=list(np.array(SEEDS))), sound)


def test_guidance_changes_the_sound(folder: Path, sound: Tensor) -> None:
    assert apart(play(prepared(folder, guidance=1.0)), sound) > 0.01


def test_an_evolved_embedding_is_played_and_read_as_text(folder: Path) -> None:
    vocabulary = generators.vocabulary(str(folder))
    noise = torch.randn(3, 20, vocabulary.dim, generator=torch.Generator().manual_seed(0))
    tokens = vocabulary.embed(PROMPTS, length=20)
    evolved = tokens + 0.02 * noise * (tokens != vocabulary.embeddings[vocabulary.pad_id])
    assert vocabulary.nearest(evolved) == PROMPTS
    player = prepared(folder, input_type="token_embeddings")
    assert apart(play(player, evolved), play(player, tokens)) > 0.01


def test_padding_is_masked_and_whatever_lies_beside_it_is_heard(folder: Path) -> None:
    vocabulary, player = (
        generators.vocabulary(str(folder)),
        prepared(folder, input_type="token_embeddings", greedy=True),
    )
    short, long = (vocabulary.embed(PROMPTS[:1], length=length) for length in (3, 12))
    assert apart(play(player, short, [1]), play(player, long, [1])) < CLOSE
    beside = long.clone()
    beside[0, -1, 0] += 3.0
    assert apart(play(player, beside, [1]), play(player, long, [1])) > 0.01


def test_genomes_of_nothing_but_padding_are_played(folder: Path) -> None:
    vocabulary = generators.vocabulary(str(folder))
    padding = vocabulary.embeddings[vocabulary.pad_id].expand(1, 5, -1)
    assert torch.isfinite(play(prepared(folder, input_type="token_embeddings"), padding, [1])).all()
    assert torch.isfinite(play(prepared(folder, input_type="embeddings"), torch.zeros(1, 5, 32), [1])).all()


def test_prompts_are_played_whatever_a_tensor_would_be(folder: Path, sound: Tensor) -> None:
    assert apart(play(prepared(folder, input_type="embeddings")), sound) < CLOSE


@pytest.mark.parametrize("seconds", [2e-5, 0.001, 0.02, 0.333, 1 / 3, 1])
def test_a_piece_is_as_long_as_asked(player: MusicGen, seconds: float) -> None:
    assert play(player, ["calm piano"], [1], seconds).shape == (1, 1, round(seconds * 32_000))


def test_no_genome_is_no_sound(player: MusicGen, folder: Path) -> None:
    assert play(player, [], []).shape == (0, 1, 16_000)
    assert play(prepared(folder, input_type="embeddings"), torch.zeros(0, 4, 32), []).shape == (0, 1, 16_000)


def test_a_piece_begins_as_a_shorter_one_but_for_its_end(player: MusicGen, sound: Tensor) -> None:
    longer = play(player, seconds=2 * SECONDS)
    same = round(0.3 * 32_000)
    assert apart(longer[..., :same], sound[..., :same]) < CLOSE


class TestBadInput:
    @pytest.mark.parametrize(
        ("genomes", "said"),
        [
            ([""], "empty"),
            (["calm", "  \n "], "empty"),
            ("calm piano", "a list of prompts"),
            ([7], "expected a prompt, got 7"),
            (["piano " * 10_000], "at most 512 tokens, got 10001"),
            (torch.zeros(1, 4, 32), "input_type is 'text'"),
        ],
    )
    def test_prompts_that_cannot_be_played_are_refused(self, player: MusicGen, genomes: Any, said: str) -> None:
        with pytest.raises(ValueError, match=f"musicgen: .*{said}"):
            play(player, genomes, [1] * len(genomes))

    @pytest.mark.parametrize("kind", ["token_embeddings", "embeddings"])
    def test_embeddings_that_cannot_be_played_are_refused(self, folder: Path, kind: str) -> None:
        player = prepared(folder, input_type=kind)
        for value in (math.nan, math.inf, -math.inf):
            broken = torch.zeros(2, 4, 32)
            broken[1, 2, 3] = value
            with pytest.raises(ValueError, match=r"1 NaN or infinite .* the first at \[1, 2, 3\]"):
                play(player, broken, [1, 2])
        for shape in ((2, 4), (2, 4, 33), (2, 0, 32), (1, 10_000, 32)):
            with pytest.raises(ValueError, match="musicgen: expected embeddings"):
                play(player, torch.zeros(shape), [1] * shape[0])
        with pytest.raises(ValueError, match="floats"):
            play(player, torch.zeros(1, 4, 32, dtype=torch.int64), [1])
        assert torch.isfinite(play(player)).all()

    @pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf, 300.1])
    def test_lengths_that_cannot_be_played_are_refused(self, player: MusicGen, seconds: float) -> None:
        with pytest.raises(ValueError, match="more than 0 and at most 300"):
            play(player, seconds=seconds)

    @pytest.mark.parametrize("seconds", [1e-9, 1.5e-5])
    def test_what_rounds_to_no_sample_is_refused(self, player: MusicGen, seconds: float) -> None:
        with pytest.raises(ValueError, match="at least one sample at 32000 Hz"):
            play(player, seconds=seconds)

    @pytest.mark.parametrize("kind", ["token_embeddings", "embeddings"])
    def test_finite_numbers_that_the_models_cannot_square_are_refused(self, folder: Path, kind: str) -> None:
        player, large = prepared(folder, input_type=kind), torch.zeros(3, 4, 32)
        large[1, 2, 3] = -1e25
        with pytest.raises(ValueError, match=r"musicgen: genomes\[1\]: expected numbers of at most 1e\+12, got 9\.9"):
            play(player, large)

    @pytest.mark.parametrize("value", [math.nan, math.inf, 1e25])
    @pytest.mark.parametrize("kind", ["text", "token_embeddings", "embeddings"])
    def test_what_the_model_makes_no_sense_of_is_refused_before_anything_is_decoded(
        self, folder: Path, kind: str, value: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        player = prepared(folder, input_type=kind)
        monkeypatch.setattr(decoding.Decoder, "decode", lambda *_, **__: pytest.fail("it was decoded"))
        if kind != "text":
            monkeypatch.setattr(devices, "free_memory", lambda _: 1)  # one after the other
        assert player._player is not None
        projection = player._player.conditioner._projection
        ordinary, seen = projection.forward, 0

        def broken(states: Tensor) -> Tensor:
            nonlocal seen
            made, seen = ordinary(states), seen + len(states)
            if seen == 3:
                made[-1] = value
            return made

        monkeypatch.setattr(projection, "forward", broken)
        with pytest.raises(ValueError, match=r"musicgen: genomes\[2\]: expected an encoding of at most 1e\+12, got"):
            play(player, PROMPTS if kind == "text" else torch.ones(3, 4, 32))

    @pytest.mark.parametrize("seeds", [[1, 2], [1, 2, 3, 4], [1, 2, -3], [1, 2, 2**63]])
    def test_seeds_that_do_not_fit_are_refused(self, player: MusicGen, seeds: list[int]) -> None:
        with pytest.raises(ValueError, match="seeds"):
            play(player, seeds=seeds)

    def test_it_plays_on_after_all_that(self, player: MusicGen, sound: Tensor) -> None:
        with pytest.raises(ValueError, match="musicgen"):
            play(player, [""], [1])
        assert torch.equal(play(player), sound)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"input_type": "audio"},
            *({"guidance": value} for value in (0.5, math.nan, math.inf, 1e300, "3", None, True)),
            *({"temperature": value} for value in (0.0, 1e-45, 9e-4, math.nan, math.inf, "x", None)),
            *({"top_k": value} for value in (-1, 2.5, "250", None, True)),
            *({"greedy": value} for value in (None, 1, "no")),
        ],
    )
    def test_parameters_out_of_range_are_refused(self, parameters: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=f"{next(iter(parameters))}: expected .*, got "):
            MusicGen(**parameters)

    def test_it_has_to_be_prepared(self, folder: Path) -> None:
        with pytest.raises(RuntimeError, match="prepare"):
            play(MusicGen(model=str(folder)))


def test_released_and_prepared_again_it_plays_the_same(folder: Path, sound: Tensor) -> None:
    player = prepared(folder)
    player.prepare()
    player.release()
    with pytest.raises(RuntimeError, match="prepare"):
        play(player)
    player.release()
    player.prepare()
    assert torch.equal(play(player), sound)


def test_nothing_touches_the_global_random_numbers(folder: Path, sound: Tensor) -> None:
    with seeding.seeded(7):
        expected = torch.rand(4)
    with seeding.seeded(7):
        assert torch.equal(play(prepared(folder)), sound)
        generators.encoded_prompts(str(folder)).embed(PROMPTS, length=20)
        assert torch.equal(torch.rand(4), expected)


def test_threads_share_one_player(player: MusicGen, sound: Tensor) -> None:
    heard: list[Tensor] = []
    threads = [threading.Thread(target=lambda: heard.append(play(player))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [torch.equal(one, sound) for one in heard] == [True] * 4
