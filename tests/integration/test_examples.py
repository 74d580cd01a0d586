"""Every file under examples/ runs from beginning to end, smaller than it is."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
import yaml

from evolution.models import Candidate
from evomusic_site.environment import ROOT
from models_store.aligner import shipped
from models_store.aligner.model import AlignerConfig, AlignerV2
from tests.integration.evolving import evolve, history, rows
from tests.random_models import mert, musicgen, riffusion
from tests.unit.llm_server import LLMServer

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
SIZE = 10
TINY_MERT = (3, 32)  # layers and numbers in each


def smaller(example, folder, endpoint):
    """The example with few and short candidates, in a folder where its paths have to be found from here."""
    content = yaml.safe_load(example.read_text())
    evolution = content["evolution"]
    evolution |= {"generations": 2, "duration": 1.0, "best_duration": 1.0}
    evolution["search"] |= {"population_size": SIZE}
    content.setdefault("user_model", {})["best_solutions"] = 3
    content["epochs"] = min(2, content.get("epochs", 1))
    if "LLM" in evolution:
        evolution["LLM"]["api_uri"] = endpoint
    if evolution["fitness"]["mode"] == "music":
        soundfile.write(folder / evolution["fitness"]["target_music"], np.sin(np.arange(48_000) / 20), 16_000)
    if content.get("music_encoder") == "mert":
        with_tiny_models(content, folder)
    file = folder / example.name
    file.write_text(yaml.safe_dump(content))
    return file, evolution


def with_tiny_models(content, folder):
    """Random models of the true architectures in place of those that are fetched, and an aligner for their ear."""
    name = content["music_model"]
    section = content.setdefault("riffusion_pipeline" if name == "riffusion" else "music_generator", {})
    section["model"] = str({"musicgen": musicgen, "riffusion": riffusion}[name].write(folder / "generator"))
    content["encoder"] = {"model": str(mert.write(folder / "ear"))}
    aligner = AlignerV2(AlignerConfig(users=2, layers=TINY_MERT[0], dim=TINY_MERT[1]))
    shipped.save(aligner, folder / "aligner.pt", notes={})
    content["user_model"]["aligner"] = {"abs_file_path": "aligner.pt"}
    search = content["evolution"]["search"]
    if "subspace" in search:
        search["subspace"] = 4
    if "inference_steps" in section:
        section["inference_steps"] = 2


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_from_beginning_to_end(example, tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_API_KEY", "none")
    monkeypatch.chdir(ROOT)
    with LLMServer() as server:
        file, evolution = smaller(example, tmp_path, server.uri)
        evolve(file, tmp_path / "out")
        assert bool(server.asked) == ("LLM" in evolution)
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["status"] == "done"
    assert result["mode"] == evolution["search"]["mode"]
    assert result["fitness_mode"] == evolution["fitness"]["mode"]
    for out in {path.parent for path in (tmp_path / "out").rglob("history.csv")}:
        assert history(out)
        assert len(rows(out / "candidates.csv")) == SIZE * len(history(out))
        assert (out / "tracks" / "playlist.m3u8").exists()
    described = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())
    section = "riffusion_pipeline" if described["music_model"] == "riffusion" else "music_generator"
    played = described[section]["input_type"]
    texts = [isinstance(genome, str) for genome in Candidate.objects.values_list("genome", flat=True)]
    assert all(texts) if played == "text" else not any(texts) or played is None


def test_there_is_an_example_for_every_search_and_every_fitness():
    read = [yaml.safe_load(example.read_text())["evolution"] for example in EXAMPLES]
    searches = {one["search"]["mode"] for one in read}
    assert searches == {
        "full LLM", "LLM evolve", "prompt GA", "token GA", "GA", "CMAES", "SNES", "PGPE", "XNES", "CEM", "random"
    }  # fmt: skip
    assert {one["fitness"]["mode"] for one in read} == {"user", "music", "dynamic"}
