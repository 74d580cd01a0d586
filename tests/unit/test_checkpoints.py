"""Checkpoints come back as they were saved, and nothing in them runs."""

from __future__ import annotations

import io
import math
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models_store import checkpoints
from models_store.checkpoints import CheckpointError

PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(max_size=5), st.integers()), inner, max_size=3),
    ),
    max_leaves=12,
)


class _Malicious:
    """Unpickles by calling `open(path, "w")`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


def _save(path: Path) -> torch.nn.Module:
    module = torch.nn.Linear(3, 2)
    checkpoints.save(path, weights=module.state_dict(), config={"inputs": 3, "names": ["a"]}, notes={"seed": 7})
    return module


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    module = _save(tmp_path / "deep" / "model.pt")
    loaded = checkpoints.load(tmp_path / "deep" / "model.pt")
    again = torch.nn.Linear(3, 2)
    again.load_state_dict(loaded.weights)
    assert torch.equal(again.weight, module.weight)
    assert loaded.config == {"inputs": 3, "names": ["a"]}
    assert loaded.notes == {"seed": 7}


def test_saving_leaves_one_file_that_others_may_read(tmp_path: Path) -> None:
    _save(tmp_path / "model.pt")
    _save(tmp_path / "model.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]
    assert (tmp_path / "model.pt").stat().st_mode & 0o444 == 0o444


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path: Path) -> None:
    _save(tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=r"config\.path: expected a plain value"):
        checkpoints.save(tmp_path / "model.pt", weights={}, config={"path": tmp_path})
    assert checkpoints.load(tmp_path / "model.pt").config["inputs"] == 3


def test_a_checkpoint_of_another_program_is_read(tmp_path: Path) -> None:
    torch.save({"model": {"w": torch.ones(2)}, "config": {"emb": 2}, "optimizer": {"lr": 0.1}}, tmp_path / "old.pt")
    loaded = checkpoints.load(tmp_path / "old.pt")
    assert torch.equal(loaded.weights["w"], torch.ones(2))
    assert loaded.config == {"emb": 2}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.pt: cannot be read"):
        checkpoints.load(tmp_path / "nowhere.pt")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_file_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    _save(tmp_path / "model.pt")
    whole = (tmp_path / "model.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r"cut\.pt: "):
        checkpoints.load(tmp_path / "cut.pt")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([1, 2], "expected a checkpoint"),
        ({"config": {}}, "expected a checkpoint"),
        ({"model": {}, "config": {}, "format": "other-9"}, "expected format"),
        ({"model": {"w": 1}, "config": {}}, "a tensor for each weight"),
        ({"model": {}, "config": [1]}, "to be a dictionary"),
        ({"model": {}}, "to be a dictionary"),
    ],
)
def test_another_content_is_refused(tmp_path: Path, content: Any, reason: str) -> None:
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=reason):
        checkpoints.load(tmp_path / "model.pt")


def test_a_malicious_pickle_does_not_run(tmp_path: Path) -> None:
    trap = _Malicious(tmp_path / "harm")
    torch.save({"model": {}, "config": trap}, tmp_path / "model.pt")
    (tmp_path / "raw.pt").write_bytes(pickle.dumps(trap, protocol=2))
    for name in ("model.pt", "raw.pt"):
        with pytest.raises(CheckpointError, match=rf"{name}.* it asks for \S*open"):
            checkpoints.load(tmp_path / name)
    with pytest.raises(CheckpointError, match="stored state"):
        checkpoints.from_bytes((tmp_path / "model.pt").read_bytes())
    assert not (tmp_path / "harm").exists()


@given(st.dictionaries(st.text(max_size=8), PLAIN, max_size=4))
@settings(max_examples=40, deadline=None)
def test_a_state_of_plain_values_comes_back(state: dict[str, Any]) -> None:
    assert checkpoints.from_bytes(checkpoints.to_bytes(state)) == state


def test_tensors_and_odd_numbers_come_back_in_a_state() -> None:
    state = {"means": [torch.arange(3.0), torch.tensor(2, dtype=torch.int64)], "best": (float("inf"), 2**80, True)}
    again = checkpoints.from_bytes(checkpoints.to_bytes(state))
    assert torch.equal(again["means"][0], torch.arange(3.0))
    assert again["means"][1].dtype == torch.int64
    assert again["best"] == (math.inf, 2**80, True)


def test_a_view_is_stored_without_what_lies_around_it() -> None:
    assert len(checkpoints.to_bytes({"row": torch.zeros(1_000, 1_000)[0]})) < 20_000


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": [1, {2, 3}]}, r"state\.a\[1\]"),
        ({"a": {("x",): 1}}, r"state\.a"),
        ({"a": object()}, r"state\.a"),
        ({"a": b"bytes"}, r"state\.a"),
    ],
)
def test_a_value_that_is_not_plain_is_refused_where_it_is(value: dict[str, Any], where: str) -> None:
    with pytest.raises(CheckpointError, match=where):
        checkpoints.to_bytes(value)


@pytest.mark.parametrize("stored", [b"", b"nonsense", b"PK\x03\x04 nonsense"])
def test_bytes_that_are_no_state_are_refused(stored: bytes) -> None:
    with pytest.raises(CheckpointError, match="stored state"):
        checkpoints.from_bytes(stored)


def test_a_list_is_no_state() -> None:
    buffer = io.BytesIO()
    torch.save([1], buffer)
    with pytest.raises(CheckpointError, match="expected a dictionary, got a list"):
        checkpoints.from_bytes(buffer.getvalue())
