"""Riffusion's folder: what is read, and what is refused before anything is played."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from models_store.generators.riffusion import generator as riffusion
from models_store.generators.riffusion import loading
from models_store.generators.riffusion.generator import Riffusion
from models_store.weights import MissingWeightsError
from tests.random_models import riffusion as random_riffusion


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_riffusion.write(tmp_path_factory.mktemp("riffusion") / "weights")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A folder of its own, to spoil."""
    return random_riffusion.copy_of(folder, tmp_path / "copy")


def test_the_published_architecture_has_these_weights() -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel(**random_riffusion.unet("full-architecture"))
        vae = AutoencoderKL(**random_riffusion.autoencoder("full-architecture"))
    # Of Stable Diffusion 1.5, which Riffusion is tuned from.
    assert sum(weight.numel() for weight in unet.parameters()) == 859_520_964
    assert sum(weight.numel() for weight in vae.parameters()) == 83_653_863


def test_weights_as_they_were_published_are_read_as_the_same(folder: Path, tmp_path: Path) -> None:
    old = random_riffusion.write(tmp_path / "old", pickled=True)
    assert not list(old.glob("**/*.safetensors"))
    for load in (loading.unet, loading.autoencoder, loading.text_encoder):
        ours, theirs = load(folder).state_dict(), load(old).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(weight, theirs[name]) for name, weight in ours.items())


def test_nothing_is_drawn_from_the_global_random_state_while_loading(folder: Path) -> None:
    before = torch.get_rng_state()
    Riffusion(model=str(folder)).prepare()
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_that_are_not_here_are_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for load in (Riffusion().prepare, riffusion.vocabulary, riffusion.encoded_prompts):
        with pytest.raises(MissingWeightsError, match=r"riffusion/riffusion-model-v1 .about 4.*fetch_models"):
            load()


WEIGHTS = ["unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"]
WEIGHTS += ["text_encoder/model.safetensors"]


@pytest.mark.parametrize("file", WEIGHTS)
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_refused(copy: Path, file: str, kept: float) -> None:
    whole = (copy / file).read_bytes()
    (copy / file).write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match=f"{(copy / file).parent}: expected the weights"):
        Riffusion(model=str(copy)).prepare()


@pytest.mark.parametrize(
    "file",
    [
        *WEIGHTS,
        *("unet/config.json", "vae/config.json", "text_encoder/config.json"),
        *("scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt"),
    ],
)
def test_a_missing_file_is_refused_with_its_folder(copy: Path, file: str) -> None:
    (copy / file).unlink()
    with pytest.raises(ValueError, match=str((copy / file).parent)):
        Riffusion(model=str(copy)).prepare()


@pytest.mark.parametrize("file", WEIGHTS)
def test_weights_that_are_missing_left_over_of_another_shape_or_not_finite_are_refused(copy: Path, file: str) -> None:
    good = load_file(copy / file)
    name = next(iter(good))
    broken = good[name].clone()
    broken.view(-1)[0] = torch.nan
    for wrong, told in (
        ({key: weight for key, weight in good.items() if key != name}, f"missing: {name}"),
        (good | {"surplus": torch.zeros(1)}, "left over: surplus"),
        (good | {name: torch.zeros(3, 5)}, "expected the weights"),
        (good | {name: broken}, f"not finite: {name}"),
    ):
        save_file(wrong, copy / file, metadata={"format": "pt"})
        with pytest.raises(ValueError, match=told):
            Riffusion(model=str(copy)).prepare()


@pytest.mark.parametrize(
    ("file", "changes", "told"),
    [
        ("unet/config.json", {"_class_name": "UNet3DConditionModel"}, "_class_name 'UNet2DConditionModel', got"),
        ("unet/config.json", {"cross_attention_dim": 48}, "expected the weights"),
        ("unet/config.json", {"block_out_channels": [8, 16]}, "unet: expected"),
        ("unet/config.json", {"norm_num_groups": 3}, "unet: expected"),
        ("unet/config.json", {"addition_embed_type": "text"}, "unet: expected"),
        ("vae/config.json", {"_class_name": "VQModel"}, "_class_name 'AutoencoderKL', got 'VQModel'"),
        ("vae/config.json", {"latent_channels": 8}, "expected the weights"),
        ("text_encoder/config.json", {"model_type": "t5"}, "'clip_text_model', got 't5'"),
        ("text_encoder/config.json", {"hidden_size": 48}, "text_encoder: expected"),
        ("text_encoder/config.json", {"num_hidden_layers": "many"}, "text_encoder: expected"),
        ("scheduler/scheduler_config.json", {"prediction_type": "nothing"}, "scheduler: expected"),
    ],
)
def test_another_architecture_is_refused(copy: Path, file: str, changes: dict[str, Any], told: str) -> None:
    settings = json.loads((copy / file).read_text())
    (copy / file).write_text(json.dumps(settings | changes))
    with pytest.raises(ValueError, match=told):
        Riffusion(model=str(copy)).prepare()


@pytest.mark.parametrize("content", ["", "[]", "{", "{}"])
@pytest.mark.parametrize("file", ["unet/config.json", "scheduler/scheduler_config.json", "text_encoder/config.json"])
def test_a_broken_config_is_refused(copy: Path, file: str, content: str) -> None:
    (copy / file).write_text(content)
    with pytest.raises(ValueError, match=str((copy / file).parent)):
        Riffusion(model=str(copy)).prepare()


class _Malicious:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("file", ["unet/diffusion_pytorch_model.bin", "text_encoder/pytorch_model.bin"])
def test_a_pickle_that_asks_to_run_code_is_refused_and_nothing_runs(tmp_path: Path, file: str) -> None:
    folder = random_riffusion.write(tmp_path / "old", pickled=True)
    torch.save({"weight": _Malicious(f"touch {tmp_path / 'ran'}")}, folder / file)
    with pytest.raises(ValueError, match=f"{(folder / file).parent}: expected"):
        Riffusion(model=str(folder)).prepare()
    assert not (tmp_path / "ran").exists()


def test_parts_of_different_models_are_refused(copy: Path) -> None:
    words = json.loads((copy / "tokenizer/vocab.json").read_text())
    words |= {f"new{place}": len(words) + place for place in range(5)}
    (copy / "tokenizer/vocab.json").write_text(json.dumps(words))
    with pytest.raises(ValueError, match=rf"{copy}: tokenizer: expected at most \d+ tokens.*got"):
        Riffusion(model=str(copy)).prepare()
