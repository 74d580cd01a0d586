"""Folders that are no pipeline of the family: refused with the folder, what was expected and what came."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from models_store.generators.diffusion import DiffusionGenerator, generator, vocabulary
from models_store.generators.diffusion.families import FAMILIES
from models_store.weights import MissingWeightsError
from tests.random_models import diffusion as random_diffusion

NAMES = [family.name for family in FAMILIES]
NETWORKS = {name: "transformer" if name not in ("musicldm", "audioldm2") else "unet" for name in NAMES}
"""The part that takes the noise away."""


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    where = tmp_path_factory.mktemp("diffusion-whole")
    return {name: random_diffusion.write(where / name, name) for name in NAMES}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def copy(whole: dict[str, Path], name: str, tmp_path: Path) -> Path:
    """A folder of its own, to spoil."""
    return random_diffusion.copy_of(whole[name], tmp_path / "copy")


def _refused(name: str, folder: Path, told: str) -> None:
    listener = DiffusionGenerator(name, model=str(folder))
    with pytest.raises(ValueError, match=told) as refusal:
        listener.prepare()
    assert str(folder) in str(refusal.value)
    with pytest.raises(RuntimeError, match="prepare"):
        listener.generate(["jazz"], seconds=1.0, seeds=[1])


def _set(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def _parts(name: str) -> list[str]:
    return [part.name for part in generator.PLAYERS[name].parts]


def test_the_folder_of_another_family_is_refused(whole: dict[str, Path], name: str) -> None:
    other = NAMES[(NAMES.index(name) + 1) % len(NAMES)]
    expected = f"expected the pipeline {random_diffusion.PIPELINES[name]} for {name}"
    _refused(name, whole[other], f"{expected}, got '{random_diffusion.PIPELINES[other]}'")


def test_a_folder_that_is_no_pipeline_is_told_what_is_needed(name: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    told = "convert_stable_audio_3_to_diffusers" if name == "stable-audio-3" else "diffusers' format"
    _refused(name, tmp_path, rf"(?s){told}.*model_index\.json of a {random_diffusion.PIPELINES[name]}.*model\.safetens")


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_broken_index_is_refused(name: str, copy: Path, content: str) -> None:
    (copy / "model_index.json").write_text(content)
    _refused(name, copy, r"model_index\.json: expected a JSON")


def test_an_index_that_asks_for_code_is_refused_and_nothing_runs(name: str, copy: Path) -> None:
    trace = copy.parent / "it-ran"
    for folder in (copy, *(copy / part for part in _parts(name))):
        (folder / "evil.py").write_text(f"open({str(trace)!r}, 'w').close()\nclass Evil: pass\n")
    network = NETWORKS[name]
    _set(copy / "model_index.json", **{network: ["evil", "Evil"]})
    _refused(name, copy, f"expected {network} to be a .*, got 'Evil'")
    _set(copy / "model_index.json", _class_name=["evil", "Evil"])
    _refused(name, copy, "expected the pipeline")
    assert not trace.exists()


def test_every_missing_part_is_named(name: str, whole: dict[str, Path], tmp_path: Path) -> None:
    for part in (*_parts(name), "scheduler"):
        folder = random_diffusion.copy_of(whole[name], tmp_path / part)
        for file in (folder / part).iterdir():
            file.unlink()
        _refused(name, folder, f"{part}.*expected")


def test_a_truncated_file_is_refused(name: str, copy: Path) -> None:
    file = next((copy / NETWORKS[name]).glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    _refused(name, copy, f"{NETWORKS[name]}: expected the weights of the architecture")


def test_weights_that_are_missing_left_over_of_another_shape_or_not_finite_are_named(name: str, copy: Path) -> None:
    file = next((copy / NETWORKS[name]).glob("*.safetensors"))
    weights = load_file(file)
    key = next(key for key in sorted(weights) if weights[key].ndim == 2)
    for changed, told in (
        ({other: weight for other, weight in weights.items() if other != key}, f"missing: {key}"),
        (weights | {"more.weight": torch.zeros(3)}, "left over: more.weight"),
        (weights | {key: torch.zeros(1, 1)}, key),
        (weights | {key: torch.full_like(weights[key], float("nan"))}, f"not finite: {key}"),
    ):
        save_file(changed, file)
        _refused(name, copy, f"{NETWORKS[name]}: expected .*{told}")


def test_another_architecture_is_refused(name: str, copy: Path) -> None:
    config = copy / NETWORKS[name] / "config.json"
    told = json.loads(config.read_text())["_class_name"]
    _set(config, _class_name="SanaTransformer2DModel")
    _refused(name, copy, f"expected _class_name '{told}', got 'SanaTransformer2DModel'")
    _set(config, _class_name=told)
    _set(copy / "text_encoder" / "config.json", model_type="bert")
    _refused(name, copy, "expected model_type '.*', got 'bert'")


def test_another_scheduler_is_refused(name: str, copy: Path) -> None:
    _set(copy / "scheduler" / "scheduler_config.json", _class_name="DDPMScheduler")
    _refused(name, copy, "scheduler: expected .*Scheduler.*, got 'DDPMScheduler'")


class _Malicious:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("part", ["network", "text_encoder"])
def test_a_pickle_that_asks_to_run_code_is_refused_and_nothing_runs(name: str, copy: Path, part: str) -> None:
    trace = copy.parent / "it-ran"
    folder = copy / (NETWORKS[name] if part == "network" else part)
    file = next(folder.glob("*.safetensors"))
    pickled = "diffusion_pytorch_model.bin" if part == "network" else "pytorch_model.bin"
    torch.save({"weight": _Malicious(f"touch {trace}")}, folder / pickled)
    file.unlink()
    _refused(name, copy, f"{folder.name}: expected the weights")
    assert not trace.exists()


def test_pickled_weights_and_nothing_else_are_read(name: str, copy: Path) -> None:
    folder = copy / NETWORKS[name]
    file = next(folder.glob("*.safetensors"))
    torch.save(load_file(file), folder / "diffusion_pytorch_model.bin")
    file.unlink()
    DiffusionGenerator(name, model=str(copy)).prepare()


def test_an_autoencoder_of_another_rate_is_refused(name: str, copy: Path) -> None:
    if name in ("musicldm", "audioldm2"):
        _set(copy / "vocoder" / "config.json", sampling_rate=22_050)
        _refused(name, copy, "vocoder: expected 16000 Hz, got 22050")
    else:
        _set(copy / "vae" / "config.json", sampling_rate=22_050)
        _refused(name, copy, r"vae: expected \d+ Hz and 2 channels, got 22050 and 2")


def test_a_unet_that_hears_other_text_is_refused(whole: dict[str, Path], tmp_path: Path) -> None:
    folder = random_diffusion.copy_of(whole["musicldm"], tmp_path / "copy")
    file = next((folder / "unet").glob("*.safetensors"))
    weights = load_file(file)
    weights["class_embedding.weight"] = torch.zeros(len(weights["class_embedding.weight"]), 12)
    save_file(weights, file)
    _set(folder / "unet" / "config.json", projection_class_embeddings_input_dim=12)
    _refused("musicldm", folder, "unet: expected to hear text of 24 numbers, got 12")


def test_a_vocabulary_is_read_without_the_rest_of_the_folder(whole: dict[str, Path], tmp_path: Path) -> None:
    folder = random_diffusion.copy_of(whole["stable-audio"], tmp_path / "copy")
    for file in (folder / "transformer").iterdir():
        file.unlink()
    assert vocabulary("stable-audio", str(folder)).dim == 32
    (folder / "tokenizer" / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match=r"tokenizer: expected a tokenizer\.json"):
        vocabulary("stable-audio", str(folder))


def test_weights_that_are_not_here_are_told_of(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    default = generator.families.find(name).entry.weights[0]
    with pytest.raises(MissingWeightsError, match=rf"{default.model}.*{default.gigabytes:g} GB.*fetch_models"):
        DiffusionGenerator(name).prepare()
