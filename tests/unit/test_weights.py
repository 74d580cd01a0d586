"""Where weights are, how they are got, and what is told when they are missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evomusic_site.environment import ROOT
from models_store import weights
from models_store.weights import MissingWeightsError, Weights
from tests.unit.hub_server import HubServer

KNOWN = (Weights("a/b", 2.4, "CC-BY-NC 4.0"), Weights("c/d", 5.0, "Community", gated=True))
MODEL = {
    "config.json": b"{}",
    "model.safetensors": b"0123",
    "pytorch_model.bin": b"the same, pickled",
    "old.ckpt": b"another format",
    "onnx/model.onnx": b"x",
    "vae/weights.bin": b"only pickled",
}


def manage(cache: Path, *arguments: str, hub: str = "http://127.0.0.1:9") -> subprocess.CompletedProcess[str]:
    """A command with a cache and a hub of its own: huggingface_hub reads both when it is imported."""
    environment = {**os.environ, "HF_HOME": str(cache), "HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "manage.py", "fetch_models", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def located(cache: Path, model: str = "a/b") -> str:
    """The folder, or why there is none."""
    program = f"from models_store import weights; print(weights.locate({model!r}))"
    environment = {**os.environ, "HF_HOME": str(cache)}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.splitlines()[-1]


def test_a_folder_is_where_it_is(tmp_path: Path) -> None:
    assert weights.locate(str(tmp_path)) == tmp_path


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("a/b", ["the weights of a/b (about 2.4 GB, CC-BY-NC 4.0)", "manage.py fetch_models a/b", "name a folder"]),
        ("c/d", ["about 5 GB", "its licence has to be agreed to"]),
        ("e/f", ["the weights of e/f are not on this machine", "fetch_models e/f"]),
        ("no name at all", ["no name at all: expected a folder, or the name of a model on the hub"]),
        ("/nowhere/at all", ["/nowhere/at all: expected a folder"]),
        ("a/../b", ["a/../b: expected a folder"]),
    ],
)
def test_missing_weights_say_which_how_large_which_licence_and_how_to_get_them(model: str, told: list[str]) -> None:
    with pytest.raises(MissingWeightsError) as refused:
        weights.locate(model, KNOWN)
    assert all(part in str(refused.value) for part in told), refused.value


def test_models_are_fetched_once_without_other_formats_of_the_same(tmp_path: Path) -> None:
    with HubServer({"a/b": MODEL}) as hub:
        first = manage(tmp_path, "a/b", hub=hub.address)
        assert first.returncode == 0, first.stderr
        assert sorted(hub.fetched) == ["a/b/config.json", "a/b/model.safetensors", "a/b/vae/weights.bin"]
        again = manage(tmp_path, "a/b", hub=hub.address)
        assert again.returncode == 0, again.stderr
        assert len(hub.fetched) == 3
    folder = Path(first.stdout.splitlines()[-1].strip())
    assert (folder / "model.safetensors").read_bytes() == b"0123"
    assert located(tmp_path) == str(folder)
    (folder / "config.json").unlink()
    assert "the weights of a/b are only in part on this machine" in located(tmp_path)


def test_what_was_broken_off_is_told_and_goes_on(tmp_path: Path) -> None:
    model = {"config.json": b"{}", "pytorch_model.bin": b"pickled", "old_fairseq.pt": b"nobody reads it"}
    with HubServer({"a/b": model}) as hub:
        first = manage(tmp_path, "a/b", hub=hub.address)
        folder = Path(first.stdout.splitlines()[-1].strip())
        assert sorted(path.name for path in folder.iterdir()) == ["config.json", "pytorch_model.bin"]
        (folder / "pytorch_model.bin").unlink()
        assert "only in part" in located(tmp_path)
        assert manage(tmp_path, "a/b", hub=hub.address).returncode == 0
    assert located(tmp_path) == str(folder)


def test_a_model_that_another_tool_began_to_fetch_is_not_taken_for_whole(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub/models--a--b/snapshots/0123"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    refs = tmp_path / "hub/models--a--b/refs"
    refs.mkdir()
    (refs / "main").write_text("0123")
    assert "the weights of a/b are only in part on this machine" in located(tmp_path)
    (snapshot / "model.safetensors").write_bytes(b"0")
    assert located(tmp_path) == str(snapshot)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("closed/model", "agree on its page, then log in"),
        ("nobody/nothing", "knows no such model"),
        ("spectral", "spectral is always here"),
        ("mursicgen", "expected one of musicgen, riffusion"),
    ],
)
def test_what_cannot_be_fetched_says_why(tmp_path: Path, name: str, told: str) -> None:
    with HubServer({}, gated=frozenset({"closed/model"})) as hub:
        done = manage(tmp_path, name, hub=hub.address)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_hub_that_does_not_answer_is_told(tmp_path: Path) -> None:
    done = manage(tmp_path, "musicgen")
    assert done.returncode == 1
    assert "facebook/musicgen-small: could not be fetched" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_name_all_models_are_listed_with_size_and_licence(tmp_path: Path) -> None:
    done = manage(tmp_path)
    assert done.returncode == 0, done.stderr
    for told in ("facebook/musicgen-small", "2.4", "CC-BY-NC 4.0", "m-a-p/MERT-v1-95M", "agree to it on the hub first"):
        assert told in done.stdout
