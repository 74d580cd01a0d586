"""CLAP hears as transformers' own model and feature extractor do, in batches and on the device."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import normalize
from transformers import ClapFeatureExtractor, ClapModel

from models_store import devices
from models_store.audio import Audio
from models_store.encoders import clap as clap_module
from models_store.encoders.clap import Clap, repeated
from models_store.weights import MissingWeightsError
from tests.random_models import clap as random_clap
from tests.unit.alive import Alive
from tests.unit.small_music import piece, pieces

RATE = 48_000
CLOSE = {"atol": 1e-5, "rtol": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_clap.write(tmp_path_factory.mktemp("clap") / "weights")


@pytest.fixture(scope="module")
def clap(folder: Path) -> Iterator[Clap]:
    encoder = Clap(model=str(folder))
    encoder.prepare()
    yield encoder
    encoder.release()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder of its own, to spoil."""
    return random_clap.write(tmp_path / "copy")


def _features(folder: Path, sound: Tensor) -> Tensor:
    """[N, frames, mels] of mono [N, time] at 48 kHz, by transformers' feature extractor."""
    extract = ClapFeatureExtractor.from_pretrained(folder)
    return extract(list(sound.numpy()), sampling_rate=RATE, return_tensors="pt")["input_features"][:, 0].float()


@pytest.mark.parametrize("seconds", [0.03, 1.0, 3.7, 5.0, 9.99, 10.0])
def test_the_spectrogram_is_that_of_transformers(clap: Clap, folder: Path, seconds: float) -> None:
    sound = pieces(2, seconds=max(seconds, 1.0), rate=RATE).samples.mean(dim=1)[:, : round(seconds * RATE)]
    expected = _features(folder, sound)
    ear = clap._prepared()
    seen = ear.spectrogram(repeated(sound, ear.longest))
    assert seen.shape == expected.shape == (2, 1001, 64)
    torch.testing.assert_close(seen, expected, atol=0.02, rtol=0)


def test_a_batch_is_heard_as_transformers_hears_each_piece_alone(clap: Clap, folder: Path) -> None:
    music = pieces(3, seconds=4.0, rate=RATE)
    model = random_clap.model()
    features = [_features(folder, one.mean(dim=0, keepdim=True)) for one in music.samples]
    with torch.inference_mode():
        expected = torch.stack([model.get_audio_features(one[:, None]).pooler_output for one in features])
    heard = clap.encode(music)
    assert heard.dtype == torch.float32
    assert heard.shape == (3, clap.layers, clap.dim) == (3, 1, 32)
    torch.testing.assert_close(heard, expected, atol=1e-4, rtol=0)
    assert heard[0, 0] @ heard[1, 0] < 0.999, "unlike pieces are heard unlike"


def test_an_embedding_does_not_depend_on_the_batch(clap: Clap) -> None:
    music = pieces(3, seconds=2.0, rate=RATE)
    alone = torch.cat([clap.encode(music[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(clap.encode(music), alone, **CLOSE)


def test_a_long_piece_is_the_mean_of_windows_that_cover_it(clap: Clap) -> None:
    long = Audio(torch.stack([piece(seed, seconds=23.0, rate=RATE) for seed in (1, 2)]), RATE)
    parts = [Audio(long.samples[..., start : start + 10 * RATE], RATE) for start in (0, 10 * RATE, 13 * RATE)]
    mean = torch.stack([clap.encode(part) for part in parts]).mean(dim=0)
    torch.testing.assert_close(clap.encode(long), normalize(mean, dim=-1), **CLOSE)


def test_as_many_windows_are_heard_at_once_as_memory_allows(clap: Clap, monkeypatch: pytest.MonkeyPatch) -> None:
    music = pieces(5, seconds=1.0, rate=RATE)
    expected = clap.encode(music)
    ear = clap._prepared()
    enough = int(2.5 * ear.bytes_per_window / clap_module.MEMORY_SHARE)
    monkeypatch.setattr(devices, "free_memory", lambda _: enough)
    assert ear.at_once() == 2
    torch.testing.assert_close(clap.encode(music), expected, **CLOSE)


@pytest.mark.parametrize("number_type", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", ["tiny", "music-architecture"])
def test_the_estimate_of_memory_is_what_is_alive_at_the_peak_and_not_much_more(
    size: random_clap.Size, number_type: torch.dtype, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.device("meta"):
        model = ClapModel(random_clap.config(size)).eval()
    monkeypatch.setattr(clap_module, "_loaded", lambda _: model)
    monkeypatch.setattr(devices, "number_type", lambda _: number_type)
    encoder = Clap(model=str(folder))
    encoder.prepare("meta")
    ear = encoder._prepared()
    with torch.inference_mode(), Alive() as alive:
        ear.hear(torch.empty(4, 10 * RATE, device="meta"))
    assert alive.peak < 4 * ear.bytes_per_window < 3 * alive.peak


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
def test_other_rates_are_resampled(clap: Clap, rate: int) -> None:
    fine = Audio(piece(1, rate=RATE, drums=False, seconds=2.0)[None], RATE)
    heard = clap.encode(fine.resample(rate))
    assert torch.cosine_similarity(heard, clap.encode(fine), dim=-1).min() > 0.9


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), 1e30, 1e-30])
def test_silent_or_broken_sound_has_an_embedding_of_unit_length(clap: Clap, value: float) -> None:
    heard = clap.encode(Audio(torch.full((2, 2, 4_000), value), RATE))
    torch.testing.assert_close(heard.norm(dim=-1), torch.ones(2, 1))


def test_a_broken_piece_does_not_change_its_neighbour(clap: Clap) -> None:
    good = piece(3, rate=RATE, seconds=1.0)
    bad = good.clone()
    bad[:, 100] = float("nan")
    heard = clap.encode(Audio(torch.stack([good, bad]), RATE))
    torch.testing.assert_close(heard[:1], clap.encode(Audio(good[None], RATE)), **CLOSE)


@pytest.mark.parametrize("shape", [(0, 2, 48_000), (1, 0, 48_000), (1, 2, 0), (1, 2, 1_000)])
def test_empty_or_too_short_sound_is_refused(clap: Clap, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"Clap: expected at least"):
        clap.encode(Audio(torch.zeros(shape), RATE))


def test_descriptions_lie_where_transformers_puts_them(clap: Clap) -> None:
    texts = ["calm piano", "a fast techno track", "bells"]
    tokenizer, model = clap_module._tokenizer(Path(clap._model)), random_clap.model()
    with torch.inference_mode():
        expected = [model.get_text_features(**tokenizer([t], return_tensors="pt")).pooler_output[0] for t in texts]
    described = clap.describe(texts)
    assert described.shape == (3, clap.dim)
    torch.testing.assert_close(described, torch.stack(expected), **CLOSE)
    assert described[0] @ described[1] < 0.999, "unlike texts lie apart"


@pytest.mark.parametrize("texts", [[], [""], ["piano", " "], "piano", [3]])
def test_no_description_is_refused(clap: Clap, texts: Any) -> None:
    with pytest.raises(ValueError, match="expected at least one text, and none blank"):
        clap.describe(texts)


def test_a_description_that_is_too_long_is_refused(clap: Clap) -> None:
    assert clap.describe(["a" * 36]).shape == (1, 32)
    for letters in (37, 10_000):
        with pytest.raises(ValueError, match=f"at most 38 tokens, got {letters + 2}"):
            clap.describe(["a" * letters])


def test_without_a_tokenizer_it_hears_but_does_not_describe(copy: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copy / name).unlink()
    encoder = Clap(model=str(copy))
    encoder.prepare()
    assert encoder.encode(pieces(1, seconds=0.5, rate=RATE)).shape == (1, 1, 32)
    with pytest.raises(ValueError, match="tokenizer"):
        encoder.describe(["piano"])


def test_nothing_is_drawn_from_the_global_random_state(folder: Path) -> None:
    before = torch.get_rng_state()
    encoder = Clap(model=str(folder))
    encoder.prepare()
    encoder.encode(pieces(1, seconds=11.0, rate=RATE))
    assert torch.equal(before, torch.get_rng_state())


def test_bfloat16_hears_nearly_the_same(folder: Path, clap: Clap, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU computes in, on the CPU."""
    monkeypatch.setattr(devices, "number_type", lambda _: torch.bfloat16)
    coarse = Clap(model=str(folder))
    coarse.prepare()
    music = pieces(2, seconds=2.0, rate=RATE)
    assert torch.cosine_similarity(clap.encode(music), coarse.encode(music), dim=-1).min() > 0.99
    assert torch.cosine_similarity(clap.describe(["piano"]), coarse.describe(["piano"]), dim=-1).min() > 0.99


def test_the_size_of_the_published_model_is_known_before_it_is_loaded() -> None:
    encoder = Clap()
    assert (encoder.layers, encoder.dim, encoder.sample_rate) == (1, 512, 48_000)


def test_a_released_encoder_can_be_prepared_again(folder: Path) -> None:
    encoder = Clap(model=str(folder))
    with pytest.raises(RuntimeError, match="prepare"):
        encoder.describe(["piano"])
    encoder.prepare()
    encoder.prepare()
    first = encoder.encode(pieces(1, seconds=0.5, rate=RATE))
    encoder.release()
    with pytest.raises(RuntimeError, match="prepare"):
        encoder.encode(pieces(1, seconds=0.5, rate=RATE))
    encoder.prepare()
    assert torch.equal(first, encoder.encode(pieces(1, seconds=0.5, rate=RATE)))


def _change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _refused(folder: Path, match: str) -> None:
    """Refused with the folder's name; and once the folder is whole again, the same object loads it."""
    encoder = Clap(model=str(folder))
    with pytest.raises(ValueError, match=match) as refusal:
        encoder.prepare()
    assert str(folder) in str(refusal.value)
    for left in folder.iterdir():
        left.unlink()
    random_clap.write(folder)
    encoder.prepare()
    assert encoder.encode(pieces(1, seconds=0.1, rate=RATE)).shape == (1, 1, 32)


def test_another_architecture_is_refused(copy: Path) -> None:
    _change(copy / "config.json", model_type="wav2vec2")
    _refused(copy, "expected model_type 'clap' without fusion, got 'wav2vec2'")


def test_feature_fusion_is_refused(copy: Path) -> None:
    audio = json.loads((copy / "config.json").read_text())["audio_config"]
    _change(copy / "config.json", audio_config=audio | {"enable_fusion": True})
    _refused(copy, "without fusion.*enable_fusion True")


def test_a_preprocessor_of_fusion_is_refused(copy: Path) -> None:
    _change(copy / "preprocessor_config.json", truncation="fusion")
    _refused(copy, "expected truncation rand_trunc")


@pytest.mark.parametrize("depths", [[1, 1, 1], [1, 1, 3]])
def test_other_depths_than_those_of_the_weights_are_refused(copy: Path, depths: list[int]) -> None:
    audio = json.loads((copy / "config.json").read_text())["audio_config"]
    _change(copy / "config.json", audio_config=audio | {"depths": depths})
    _refused(copy, "weights of the architecture in config.json.*(missing|left over): ")


def test_another_width_than_that_of_the_weights_is_refused(copy: Path) -> None:
    _change(copy / "config.json", projection_dim=16)
    _refused(copy, "weights")


def test_missing_and_foreign_weights_are_listed(copy: Path) -> None:
    path = copy / "model.safetensors"
    weights = load_file(path)
    del weights["audio_projection.linear1.bias"]
    weights["audio_model.adapter"] = torch.zeros(3)
    save_file(weights, path, metadata={"format": "pt"})
    _refused(copy, r"missing: audio_projection\.linear1\.bias; left over: audio_model\.adapter")


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_missing_or_truncated_file_is_refused(copy: Path, name: str) -> None:
    whole = (copy / name).read_bytes()
    (copy / name).unlink()
    _refused(copy, "expected")
    (copy / name).write_bytes(whole[: len(whole) // 2])
    _refused(copy, "expected")


class _Malicious:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


def test_a_pickle_that_asks_to_run_code_is_refused_and_nothing_runs(copy: Path) -> None:
    trace = copy.parent / "it-ran"
    (copy / "model.safetensors").unlink()
    torch.save({"audio_projection.linear1.bias": _Malicious(f"touch {trace}")}, copy / "pytorch_model.bin")
    _refused(copy, r"a pickle that asks for .*system")
    assert not trace.exists()


def test_weights_that_are_not_here_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingWeightsError, match=r"laion/larger_clap_music.*fetch_models"):
        Clap().prepare()
