"""MERT's weights out of a folder: what is read, and what is refused and why."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from models_store.encoders.mert import Mert
from models_store.weights import MissingWeightsError
from tests.random_models import mert as random_mert
from tests.unit.small_music import pieces

RATE = 24_000
CLOSE = {"atol": 2e-5, "rtol": 0}
HUBERT = random_mert.hubert()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder of its own, to spoil."""
    return random_mert.write(tmp_path / "copy")


def test_weights_in_safetensors_are_read_as_well(copy: Path) -> None:
    music = pieces(1, seconds=0.3, rate=RATE)
    pickled, safe = Mert(model=str(copy)), Mert(model=str(copy))
    pickled.prepare()
    save_file(random_mert.state(random_mert.hubert()), copy / "model.safetensors")
    (copy / "pytorch_model.bin").unlink()
    safe.prepare()
    assert torch.equal(pickled.encode(music), safe.encode(music))


def test_weights_in_half_precision_are_read_as_well(copy: Path) -> None:
    torch.save({n: w.half() for n, w in random_mert.state(random_mert.hubert()).items()}, copy / "pytorch_model.bin")
    listener = Mert(model=str(copy))
    listener.prepare()
    assert listener.encode(pieces(1, seconds=0.3, rate=RATE)).dtype == torch.float32


def test_what_only_pretraining_used_is_left_out(copy: Path) -> None:
    weights = random_mert.state(random_mert.hubert())
    assert "masked_spec_embed" in weights
    weights |= {"final_proj.weight": torch.zeros(4, 32), "label_embs_concat": torch.zeros(5, 4)}
    weights["encoder_cqt_model.linear.weight"] = torch.zeros(3, 3)
    torch.save(weights, copy / "pytorch_model.bin")
    Mert(model=str(copy)).prepare()


def test_attention_relax_alone_changes_nothing_since_only_deepnorm_layers_use_it(copy: Path) -> None:
    music = pieces(1, seconds=0.3, rate=RATE)
    plain, relaxed = Mert(model=str(copy)), Mert(model=str(copy))
    plain.prepare()
    _set(copy, attention_relax=32.0)
    relaxed.prepare()
    assert torch.equal(plain.encode(music), relaxed.encode(music))


def _set(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _refused(folder: Path, match: str) -> None:
    """Refused with the folder's name; and once the folder is whole again, the same object loads it."""
    listener = Mert(model=str(folder))
    with pytest.raises(ValueError, match=match) as refusal:
        listener.prepare()
    assert str(folder) in str(refusal.value)
    with pytest.raises(RuntimeError, match="prepare"):
        listener.encode(pieces(1, seconds=0.1, rate=RATE))
    random_mert.write(folder)
    listener.prepare()
    assert listener.encode(pieces(1, seconds=0.1, rate=RATE)).shape == (1, 3, 32)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": "wav2vec2"}, "expected model_type 'mert_model', got 'wav2vec2'"),
        ({"deepnorm": True}, "expected deepnorm False.*got True"),
        ({"feature_extractor_cqt": True}, "expected feature_extractor_cqt False.*got True"),
        ({"conv_pos_batch_norm": True}, "expected conv_pos_batch_norm False"),
        ({"hidden_size": "wide"}, "settings of a HuBERT model.*hidden_size"),
        ({"conv_stride": [5, 2]}, "settings of a HuBERT model"),
        ({"feat_extract_norm": "batch"}, "expected the settings of a HuBERT"),
        ({"num_attention_heads": 5}, "expected the settings of a HuBERT"),
        ({"hidden_act": "swoosh"}, "expected the settings of a HuBERT"),
        ({"num_hidden_layers": 3}, r"missing: encoder\.layers\.2\.\S+, .* and 8 more"),
        ({"num_hidden_layers": 1}, r"left over: encoder\.layers\.1"),
        ({"do_stable_layer_norm": True, "feat_extract_norm": "layer"}, r"missing: .*conv_layers\.1\.layer_norm"),
        ({"intermediate_size": 128}, r"of another shape: .*\(expected \(128,\), got \(64,\)\)"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_another_architecture_is_refused(copy: Path, changes: dict[str, Any], told: str) -> None:
    _set(copy, **changes)
    _refused(copy, told)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"encoder.pos_conv_embed.conv.weight_g": None}, r"missing: encoder\.pos_conv_embed\.conv\.weight_g"),
        ({"encoder.adapter.weight": torch.zeros(3)}, r"left over: encoder\.adapter\.weight"),
        ({"encoder.layer_norm.bias": torch.zeros(31)}, r"encoder\.layer_norm\.bias \(expected \(32,\), got \(31,\)\)"),
        ({"encoder.layer_norm.bias": torch.full((32,), float("nan"))}, r"not finite: encoder\.layer_norm\.bias"),
        ({"encoder.layer_norm.bias": torch.zeros(32, dtype=torch.int64)}, "expected a tensor of floats"),
        ({"encoder.layer_norm.bias": "a text"}, "expected a tensor of floats.*a text"),
    ],
    ids=["missing", "left over", "another shape", "not finite", "whole numbers", "no tensor"],
)
def test_weights_that_are_not_those_of_the_model_are_refused(copy: Path, change: dict[str, Any], told: str) -> None:
    weights = random_mert.state(random_mert.hubert()) | change
    torch.save({name: weight for name, weight in weights.items() if weight is not None}, copy / "pytorch_model.bin")
    _refused(copy, told)


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused(copy: Path, kept: float) -> None:
    path = copy / "pytorch_model.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if kept in (0.5, 0.99) else int(kept)])
    _refused(copy, "cut short|that torch.save did not write")


def test_a_truncated_safetensors_file_is_refused(copy: Path) -> None:
    path = copy / "model.safetensors"
    save_file(random_mert.state(random_mert.hubert()), path)
    path.write_bytes(path.read_bytes()[:-100])
    listener = Mert(model=str(copy))
    with pytest.raises(ValueError, match="cut short"):
        listener.prepare()


class _Malicious:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


def test_a_pickle_that_asks_to_run_code_is_refused_and_nothing_runs(copy: Path) -> None:
    trace = copy.parent / "it-ran"
    torch.save({"encoder.layer_norm.bias": _Malicious(f"touch {trace}")}, copy / "pytorch_model.bin")
    _refused(copy, "weights and nothing else, got a pickle that asks for .*system")
    assert not trace.exists()


@pytest.mark.parametrize("name", ["config.json", "pytorch_model.bin"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    _refused(copy, name.replace(".", r"\."))


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_broken_config_is_refused(copy: Path, content: str) -> None:
    (copy / "config.json").write_text(content)
    _refused(copy, r"config\.json: expected a JSON")


@pytest.mark.parametrize("rate", [0, -1, "fast"])
def test_a_senseless_rate_is_refused(copy: Path, rate: Any) -> None:
    (copy / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": rate}))
    _refused(copy, "sampling_rate in Hz")


def test_a_list_in_place_of_weights_is_refused(copy: Path) -> None:
    torch.save([torch.zeros(3)], copy / "pytorch_model.bin")
    _refused(copy, "expected weights by name, got a list")


def test_weights_that_are_not_here_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingWeightsError, match=r"m-a-p/MERT-v1-95M.*fetch_models"):
        Mert().prepare()
