"""What is wrong with a folder of weights is told with its name, and nothing of it is run."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from models_store import folders


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("no such file"), "got no such file"),
        (Exception("Error while initializing BPE"), "got Error while initializing BPE"),
        (RecursionError("maximum recursion depth exceeded"), "got maximum recursion"),
        (KeyError(), "got KeyError"),
        (EOFError(), "cut short"),
        (RuntimeError("PytorchStreamReader failed: failed finding central directory"), "cut short"),
        (pickle.UnpicklingError("Unsupported operand"), "a pickle that torch.save did not write"),
        (pickle.UnpicklingError("Weights only load failed ... GLOBAL posix.system was not"), "asks for posix.system"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_whatever_goes_wrong_names_the_folder_and_what_was_expected(error: Exception, said: str) -> None:
    with pytest.raises(ValueError, match=r"^models/mine: expected a tokenizer, got") as told, \
            folders.told(Path("models/mine"), "a tokenizer"):  # fmt: skip
        raise error
    assert said in str(told.value)
    assert "weights_only" not in str(told.value)


def test_a_lack_of_memory_is_no_fault_of_the_folder() -> None:
    with pytest.raises(torch.OutOfMemoryError), folders.told(Path("mine"), "weights"):
        raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot read it"), ("{", "cannot read it"), ("[]", "a JSON object, got a list")]
)
def test_settings_are_a_json_object(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"config\.json: expected") as told:
        folders.settings(tmp_path)
    assert said in str(told.value)


def test_weights_that_are_not_those_of_the_architecture_are_listed_by_what_is_wrong() -> None:
    loaded = {
        "missing_keys": [f"layer.{number}" for number in range(20)],
        "unexpected_keys": {"a.position_ids", "b"},
        "mismatched_keys": [("c", (1,), (2,))],
    }
    with pytest.raises(ValueError, match=r"mine: expected the weights") as told:
        folders.check_loaded(Path("mine"), loaded, computed=("position_ids",))
    said = str(told.value)
    assert "and 12 more; left over: b; of another shape: c" in said
    folders.check_loaded(Path("mine"), {"missing_keys": [], "unexpected_keys": [], "mismatched_keys": []})


def test_weights_that_are_no_numbers_are_found() -> None:
    huge = torch.full((2,), 3e38)  # their sum is infinite, they are not
    weights = {
        "nan": torch.tensor([1.0, float("nan")]),
        "fine": torch.ones(3),
        "huge": huge,
        "inf": torch.tensor(torch.inf),
    }
    assert folders.not_finite(weights) == ["nan", "inf"]
