"""What MusicGen reads of a folder, and which folders it refuses."""

from __future__ import annotations

import json
import math
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models_store import catalog
from models_store.generators.musicgen import generator as generators
from models_store.generators.musicgen.generator import MusicGen
from models_store.weights import MissingWeightsError
from tests.random_models import musicgen
from tests.unit.small_musicgen import CLOSE, PROMPTS, apart, play, prepared


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return musicgen.write(tmp_path_factory.mktemp("musicgen"))


@pytest.fixture(scope="module")
def player(folder: Path) -> MusicGen:
    return prepared(folder)


@pytest.fixture(scope="module")
def sound(player: MusicGen) -> Tensor:
    return play(player)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A folder to break."""
    shutil.copytree(folder, tmp_path / "model")
    return tmp_path / "model"


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def _as_pickle(folder: Path, **more: Any) -> Path:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    path = folder / "pytorch_model.bin"
    torch.save({**weights, **more}, path)
    return path


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


class _Malicious:
    """Unpickles by calling `open(path, "w")`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


BREAKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors"),
    "truncated weights": (lambda folder: _half(folder / "model.safetensors"), "weights of a musicgen model"),
    "a truncated pickle": (lambda folder: _half(_as_pickle(folder)), "weights of a musicgen model"),
    "a pickle of something else": (lambda folder: torch.save([1], _as_pickle(folder)), "weights of a musicgen model"),
    "no config": (lambda folder: (folder / "config.json").unlink(), r"config\.json: expected a JSON file"),
    "a config that is cut short": (lambda folder: _half(folder / "config.json"), r"config\.json: expected a JSON file"),
    "a config that is a list": (
        lambda folder: (folder / "config.json").write_text("[]"),
        "expected a JSON object, got a list",
    ),
    "another architecture": (
        lambda folder: _edit(folder, lambda config: config.update(model_type="hubert")),
        "model_type musicgen or musicgen_melody, got 'hubert'",
    ),
    "another text encoder": (
        lambda folder: _edit(folder, lambda config: config["text_encoder"].update(model_type="bert")),
        "text_encoder.model_type 't5', got 'bert'",
    ),
    "a wider decoder": (
        lambda folder: _edit(folder, lambda config: config["decoder"].update(hidden_size=64)),
        r"of another shape: decoder\.lm_heads",
    ),
    "a deeper decoder": (
        lambda folder: _edit(folder, lambda config: config["decoder"].update(num_hidden_layers=3)),
        r"missing: decoder\.model\.decoder\.layers\.2",
    ),
    "a shallower decoder": (
        lambda folder: _edit(folder, lambda config: config["decoder"].update(num_hidden_layers=1)),
        r"left over: decoder\.model\.decoder\.layers\.1",
    ),
    "a word for a number": (
        lambda folder: _edit(folder, lambda config: config["decoder"].update(num_hidden_layers="many")),
        "num_hidden_layers",
    ),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "expected a tokenizer"),
    "a broken tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{"), "the tokenizer of a T5"),
}


@pytest.mark.parametrize("broken", [name for name, (_, said) in BREAKS.items() if said])
def test_a_broken_folder_is_refused_with_its_name(copy: Path, broken: str) -> None:
    change, said = BREAKS[broken]
    change(copy)
    with pytest.raises(ValueError, match=said) as refused:
        prepared(copy)
    assert str(copy) in str(refused.value)


def test_weights_that_are_not_numbers_are_refused(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    weights["decoder.lm_heads.2.weight"][0, 0] = math.nan
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"not finite: decoder\.lm_heads\.2\.weight"):
        prepared(copy)


@pytest.mark.parametrize("load", [prepared, lambda copy: generators.vocabulary(str(copy))])
def test_a_pickle_with_code_is_refused_and_nothing_runs(
    copy: Path, tmp_path: Path, load: Callable[[Path], object]
) -> None:
    path, proof = _as_pickle(copy, trojan=_Malicious(tmp_path / "ran")), tmp_path / "ran"
    with pytest.raises(ValueError, match=r"a pickle that asks for .*open"):
        load(copy)
    path.write_bytes(pickle.dumps(_Malicious(proof), protocol=2))
    with pytest.raises(ValueError, match="pickle"):
        load(copy)
    assert not proof.exists()


def test_a_worker_lives_on_after_a_broken_folder(copy: Path, sound: Tensor, player: MusicGen) -> None:
    whole = (copy / "model.safetensors").read_bytes()
    _half(copy / "model.safetensors")
    mended = MusicGen(model=str(copy))
    with pytest.raises(ValueError, match="expected"):
        mended.prepare()
    assert torch.equal(play(player), sound)
    (copy / "model.safetensors").write_bytes(whole)
    mended.prepare()
    assert torch.equal(play(mended), sound)


def test_published_files_with_old_names_are_read(copy: Path, sound: Tensor) -> None:
    weights = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    old = {}
    for name, weight in weights.items():
        for new, before in (("0", "weight_g"), ("1", "weight_v")):
            name = name.replace(f"parametrizations.weight.original{new}", before)
        old[name] = weight
    old["text_encoder.encoder.embed_tokens.weight"] = old["text_encoder.shared.weight"].clone()
    old["decoder.model.decoder.embed_positions.weights"] = torch.zeros(256, 48)
    assert any(name.endswith("weight_g") for name in old)
    torch.save(old, copy / "pytorch_model.bin")
    assert torch.equal(play(prepared(copy)), sound)
    vocabulary = generators.vocabulary(str(copy))
    assert torch.equal(vocabulary.embeddings, weights["text_encoder.shared.weight"])


def test_weights_in_several_files_are_read(copy: Path, sound: Tensor) -> None:
    (copy / "model.safetensors").unlink()
    musicgen.model().save_pretrained(copy, max_shard_size="60KB")
    assert len(list(copy.glob("model-*.safetensors"))) > 3
    assert torch.equal(play(prepared(copy)), sound)
    states = generators.encoded_prompts(str(copy)).embed(PROMPTS, length=20)
    assert apart(play(prepared(copy, input_type="embeddings"), states), sound) < CLOSE


def test_an_index_that_points_out_of_its_folder_is_refused(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    index = {"weight_map": {"text_encoder.shared.weight": "../elsewhere.safetensors"}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match="names of files beside it"):
        generators.vocabulary(str(copy))


def test_searching_needs_the_text_encoder_alone(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    text = {name: weight for name, weight in weights.items() if name.startswith("text_encoder.")}
    save_file(text, copy / "model.safetensors", metadata={"format": "pt"})
    assert generators.encoded_prompts(str(copy)).embed(PROMPTS, length=20).shape == (3, 20, 32)
    matrix = {"text_encoder.shared.weight": weights["text_encoder.shared.weight"]}
    save_file(matrix, copy / "model.safetensors", metadata={"format": "pt"})
    assert generators.vocabulary(str(copy)).embed(PROMPTS, length=20).shape == (3, 20, 32)
    with pytest.raises(ValueError, match="missing: encoder"):
        generators.encoded_prompts(str(copy))
    with pytest.raises(ValueError, match="missing: "):
        prepared(copy)


def test_missing_weights_are_told_with_the_command_that_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingWeightsError, match=r"fetch_models nobody/has-this"):
        MusicGen(model="nobody/has-this").prepare()


def test_the_catalog_knows_it(folder: Path, sound: Tensor) -> None:
    made = catalog.build_generator("musicgen", model=str(folder), input_type="token_embeddings")
    assert isinstance(made, MusicGen)
    made.prepare()
    space = catalog.prompt_space("musicgen", input_type="token_embeddings", model=str(folder))
    assert space is not None
    assert apart(play(made, space.embed(PROMPTS, length=20)), sound) < CLOSE
