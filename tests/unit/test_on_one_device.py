"""Generating, hearing and measuring stay on the device; the results come to the CPU once, at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from models_store import artefacts
from models_store.audio import Audio
from models_store.encoders import spectral
from models_store.encoders.base import AudioEncoder
from models_store.encoders.clap import Clap
from models_store.encoders.mert import Mert
from models_store.encoders.spectral import SpectralEncoder
from models_store.evaluation import hear, play
from models_store.generators.base import Genomes, MusicGenerator
from tests.random_models import clap as random_clap
from tests.random_models import mert as random_mert
from tests.unit.small_music import pieces

_TAKEN_OUT = (Tensor.cpu, Tensor.numpy, Tensor.tolist, Tensor.item, Tensor.__array__, Tensor.__bool__, Tensor.__float__)


class _Leaving(TorchFunctionMode):
    """Notes whatever is asked to come out of the device, on the CPU as well: how many numbers each time."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[int] = []

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        to_cpu = func is Tensor.to and any(value == "cpu" for value in (*args[1:], *(kwargs or {}).values()))
        if to_cpu or func in _TAKEN_OUT:
            self.numbers.append(args[0].numel())
        return func(*args, **(kwargs or {}))


class _Player(MusicGenerator):
    """Plays small pieces, and remembers them."""

    name = "player"
    genome_kinds = frozenset({"text"})
    licence = "Apache-2.0"
    sample_rate = 22_050
    longest_seconds = 10.0

    def __init__(self) -> None:
        self.played: Audio | None = None

    def generate(self, genomes: Genomes, *, seconds: float, seeds: Sequence[int]) -> Audio:  # noqa: ARG002
        self.played = pieces(len(genomes), seconds=seconds, rate=self.sample_rate)
        return self.played


def _encoder(name: str, folder: Path, device: str = "cpu") -> AudioEncoder:
    made: dict[str, Callable[[], AudioEncoder]] = {
        "spectral": SpectralEncoder,
        "mert": lambda: Mert(model=str(random_mert.write(folder / "mert"))),
        "clap": lambda: Clap(model=str(random_clap.write(folder / "clap"))),
    }
    encoder = made[name]()
    encoder.prepare(device)
    return encoder


def test_what_leaves_is_noted() -> None:
    sound = torch.zeros(7)
    with _Leaving() as leaving:
        sound.cpu()
        sound.to("cpu")
        sound.to(device="cpu")
        sound.numpy()
        sound.tolist()
        bool(sound[0] > 0)
        sound + sound
    assert leaving.numbers == [7, 7, 7, 7, 7, 1]


@pytest.mark.parametrize("name", ["spectral", "mert", "clap"])
def test_only_the_results_leave_and_they_leave_last(name: str, tmp_path: Path) -> None:
    player, encoder = _Player(), _encoder(name, tmp_path)
    with _Leaving() as leaving:
        heard = play(player, encoder, ["a", "b", "c"], seconds=1.0, seeds=[1, 2, 3])
    *before, embeddings, faults = leaving.numbers
    assert (embeddings, faults) == (heard.embeddings.numel(), heard.artefacts.numel())
    assert set(before) <= {1}, "single numbers, that choose a way"
    assert heard.embeddings.shape == (3, encoder.layers, encoder.dim)


def test_the_encoder_is_given_the_very_sound_that_was_played(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr(artefacts, "measure", lambda audio: given.append(audio) or torch.zeros(len(audio), 5))
    player = _Player()
    play(player, SpectralEncoder(), ["a", "b"], seconds=0.5, seeds=[1, 2])
    assert given == [player.played]


@pytest.mark.parametrize("name", ["mert", "clap"])
@pytest.mark.parametrize("seconds", [0.5, 31.0])
def test_a_neural_ear_never_waits_for_its_device(name: str, seconds: float, tmp_path: Path) -> None:
    """The meta device has no numbers: whoever copies from it, branches on it or mixes it with the CPU fails."""
    encoder = _encoder(name, tmp_path, device="meta")
    heard = encoder.encode(Audio(torch.empty(3, 2, round(seconds * 32_000), device="meta"), 32_000))
    assert heard.shape == (3, encoder.layers, encoder.dim)
    assert heard.device.type == "meta"
    with pytest.raises(NotImplementedError, match="meta"):
        heard.cpu()


def test_pieces_of_unequal_lengths_need_no_waiting_either(tmp_path: Path) -> None:
    encoder = Mert(model=str(random_mert.write(tmp_path)))
    encoder.prepare("meta")
    unequal = [Audio(torch.empty(1, 2, time, device="meta"), 24_000) for time in (800_000, 9_000, 400, 24_000)]
    assert encoder.encode_many(unequal).device.type == "meta"


@pytest.mark.parametrize("name", ["mert", "clap"])
def test_sound_from_elsewhere_is_brought_to_the_ear(name: str, tmp_path: Path) -> None:
    encoder = _encoder(name, tmp_path, device="meta")
    assert encoder.encode(pieces(2, seconds=0.5)).device.type == "meta"


def test_the_embedded_encoder_hears_a_batch_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does on a GPU."""
    music = pieces(5, seconds=1.0)
    music.samples[3, 0, 7] = float("nan")
    alone = SpectralEncoder().encode(music)
    monkeypatch.setattr(spectral, "_at_once", lambda _: 3)
    torch.testing.assert_close(SpectralEncoder().encode(music), alone, atol=1e-4, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["spectral", "mert", "clap"])
def test_a_gpu_hears_what_the_cpu_hears(name: str, tmp_path: Path) -> None:
    music = pieces(4, seconds=2.0)
    on_gpu = Audio(music.samples.cuda(), music.sample_rate)
    encoder, same = _encoder(name, tmp_path), _encoder(name, tmp_path, device="cuda")
    assert same.encode(on_gpu).device.type == artefacts.measure(on_gpu).device.type == "cuda"
    expected, heard = hear(encoder, music), hear(same, on_gpu)
    assert heard.embeddings.device.type == heard.artefacts.device.type == "cpu"
    assert torch.cosine_similarity(heard.embeddings, expected.embeddings, dim=-1).min() > 0.99
    torch.testing.assert_close(heard.artefacts, expected.artefacts, atol=0.02, rtol=0)
