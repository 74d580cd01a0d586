"""MERT as an encoder: what a model that was trained on 160,000 hours of music makes of a piece (arXiv:2306.00107)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from models_store import devices, instruments, weights
from models_store.audio import Audio
from models_store.encoders import intake
from models_store.encoders.base import AudioEncoder
from models_store.encoders.mert import loading
from models_store.encoders.mert.hearing import Ear

DEFAULT_MODEL = "m-a-p/MERT-v1-95M"
SIZES = {DEFAULT_MODEL: (13, 768), "m-a-p/MERT-v1-330M": (25, 1024)}
"""Layers and dim of the published models, known before they are loaded."""

WINDOW_SECONDS = 30.0
"""Attention grows with the square of the length: longer pieces are heard in equal windows of at most this."""
MOST_SAMPLES_AT_ONCE = {"cuda": 1 << 24, "cpu": 1 << 17}
"""Of one batch. On a GPU (139 songs of 5 s) it is busy long before, and the first convolution's output stays below the
2**31 numbers that some kernels can index; on a CPU one song of 5 s fills the caches: 16 at once took a third longer
for each than one after another."""
MEMORY_SHARE = 0.5
"""How much of the free memory one batch may take by the estimate of `Ear.bytes_per_sample`."""
NORM_FLOOR = 1e-7
"""Added to the variance, as Wav2Vec2FeatureExtractor does."""


class Mert(AudioEncoder):
    """All hidden states of MERT, each averaged over time: [N, 13, 768] of the 95M model, [N, 25, 1024] of the 330M.

    Pieces longer than 30 s are heard in equal windows, whose averages are weighted by their length, so that memory
    is bounded. Whether a piece is brought to zero mean and unit variance first (over all of it, before it is cut)
    stands in the model's folder. Computes in bfloat16 on a GPU that has it, with averages in float32.
    """

    name = "mert"

    def __init__(self, *, model: str | None = None) -> None:
        """model: a name on the hub or a folder; None: m-a-p/MERT-v1-95M.

        `layers` and `dim` are those of the published model of that name until `prepare` has read the folder.
        """
        self._model = model or DEFAULT_MODEL
        self.layers, self.dim = SIZES.get(self._model, SIZES[DEFAULT_MODEL])
        self.sample_rate = loading.SAMPLE_RATE
        self._ear: Ear | None = None

    def prepare(self, device: torch.device | str = "cpu") -> None:
        """Load the weights to `device`. Raises ValueError (MissingWeightsError when they are not here)."""
        device = torch.device(device)
        if self._ear is not None and self._ear.device == device:
            return
        entry = instruments.find("encoder", self.name)
        loaded = loading.read(weights.locate(self._model, entry.weights if entry else ()))
        self._ear = Ear(loaded, device=device, number_type=devices.number_type(device))
        self.layers, self.dim, self.sample_rate = self._ear.layers, self._ear.dim, self._ear.sample_rate

    def release(self) -> None:
        self._ear = None
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    def encode(self, audio: Audio) -> Tensor:
        """Embeddings float32 [N, layers, dim], on the device that was prepared.

        Raises ValueError for no piece, no channel, or less than a frame (17 ms); RuntimeError before `prepare`.
        """
        return self.encode_many([audio])

    @torch.inference_mode()
    def encode_many(self, batches: Sequence[Audio]) -> Tensor:
        """The same for pieces of unequal lengths and rates: a row for each piece of each batch, in their order."""
        ear = self._prepared()
        for audio in batches:
            intake.check("Mert", audio, shortest_seconds=ear.shortest / ear.sample_rate)
        if not batches:
            raise ValueError("Mert: expected at least one piece, got none")
        pieces = [piece for audio in batches for piece in self._sound(ear, audio)]
        cut = [_windows(piece, round(WINDOW_SECONDS * ear.sample_rate)) for piece in pieces]
        heard = self._hear(ear, [window for windows in cut for window in windows])
        return _joined(heard, cut)

    def _prepared(self) -> Ear:
        if self._ear is None:
            raise RuntimeError("Mert: expected to be prepared: call prepare(device) before encode")
        return self._ear

    def _sound(self, ear: Ear, audio: Audio) -> Tensor:
        """[N, time] as the model reads it."""
        sound = intake.mono(audio, sample_rate=ear.sample_rate, device=ear.device)
        if not ear.normalise:
            return sound
        variance, mean = torch.var_mean(sound, dim=1, correction=0, keepdim=True)
        return (sound - mean) / (variance + NORM_FLOOR).sqrt()

    def _hear(self, ear: Ear, windows: Sequence[Tensor]) -> Tensor:
        """[windows, layers, dim] of sounds [time]. Those of like length go together, so that little is padded."""
        order = sorted(range(len(windows)), key=lambda place: -len(windows[place]))
        lengths = [len(windows[place]) for place in order]

        def hear(part: slice) -> Tensor:
            sound = pad_sequence([windows[place] for place in order[part]], batch_first=True)  # [n, time]
            with devices.whole_float32():
                return ear.hear(sound, lengths[part])

        heard = torch.cat(devices.in_parts(hear, len(order), at_once=_at_once(ear, lengths[0])))
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order)] = torch.arange(len(order))
        return heard[back.to(heard.device)]


def _at_once(ear: Ear, samples: int) -> int:
    """How many windows of so many samples are heard together."""
    fit = MEMORY_SHARE * devices.free_memory(ear.device) / ear.bytes_per_sample
    most = MOST_SAMPLES_AT_ONCE.get(ear.device.type, MOST_SAMPLES_AT_ONCE["cpu"])
    return max(1, int(min(fit, most)) // samples)


def _windows(piece: Tensor, longest: int) -> tuple[Tensor, ...]:
    """[time] in as few equal parts as are not longer than `longest` samples."""
    return piece.tensor_split(-(-len(piece) // longest))


def _joined(heard: Tensor, cut: Sequence[Sequence[Tensor]]) -> Tensor:
    """[pieces, layers, dim] of [windows, layers, dim]: each the mean of its windows, weighted by their length."""
    if len(heard) == len(cut):
        return heard
    joined = []
    for windows, states in zip(cut, heard.split([len(windows) for windows in cut]), strict=True):
        lengths = torch.tensor([float(len(window)) for window in windows], device=heard.device)
        joined.append((states * (lengths / lengths.sum())[:, None, None]).sum(dim=0))
    return torch.stack(joined)
