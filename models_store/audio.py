"""Audio as a value: a batch of equally long pieces and their sample rate."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
import pyloudnorm
import soundfile
import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool1d

Format = Literal["mp3", "ogg", "flac", "wav"]


class Encoding(NamedTuple):
    """What libsndfile calls a format."""

    container: str
    subtype: str


ENCODINGS: dict[Format, Encoding] = {
    "mp3": Encoding("MP3", "MPEG_LAYER_III"),
    "ogg": Encoding("OGG", "VORBIS"),
    "flac": Encoding("FLAC", "PCM_16"),
    "wav": Encoding("WAV", "PCM_16"),
}

FORMAT: Format = "mp3"
"""What tracks are stored as: every browser plays it (docs/decisions/0006-track-format.md)."""

SILENT_LUFS = -70.0
"""The absolute gate of ITU-R BS.1770-4: what is softer has no loudness."""

MOST_SAMPLES = 1 << 29
"""Of all channels of a file: 2 GiB of float32, an hour and a half of stereo at 48 kHz. A header can claim anything."""

_SHORTEST_LOUDNESS_SECONDS = 0.4  # the gating block of BS.1770-4
_ENCODED_AT_ONCE = 1 << 16  # frames; libsndfile's lossy encoders keep what they are given on the stack


@dataclass(frozen=True)
class Audio:
    """A batch of sounds.

    samples: float32 [N, channels, time], full scale is [-1, 1].
    sample_rate: samples per second (Hz).
    """

    samples: Tensor
    sample_rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 3:
            raise ValueError(f"Audio.samples: expected [N, channels, time], got shape {tuple(self.samples.shape)}")
        if self.sample_rate <= 0:
            raise ValueError(f"Audio.sample_rate: expected a positive rate in Hz, got {self.sample_rate}")

    def __len__(self) -> int:
        return int(self.samples.shape[0])

    def __getitem__(self, item: slice) -> Audio:
        return Audio(self.samples[item], self.sample_rate)

    @property
    def seconds(self) -> float:
        return float(self.samples.shape[-1] / self.sample_rate)

    def mono(self) -> Audio:
        """The mean of the channels: [N, 1, time]."""
        return Audio(self.samples.mean(dim=1, keepdim=True), self.sample_rate)

    def resample(self, sample_rate: int) -> Audio:
        """The same sound at another rate (windowed sinc, torchaudio)."""
        if sample_rate == self.sample_rate:
            return self
        from torchaudio.functional import resample

        return Audio(resample(self.samples, self.sample_rate, sample_rate), sample_rate)

    def crop(self, seconds: float) -> Audio:
        """The first `seconds`."""
        return Audio(self.samples[..., : round(seconds * self.sample_rate)], self.sample_rate)


def concatenate(parts: list[Audio]) -> Audio:
    """One batch from several of the same rate, channels and length."""
    if not parts:
        raise ValueError("concatenate: expected at least one batch of audio, got none")
    return Audio(torch.cat([part.samples for part in parts]), parts[0].sample_rate)


def windows(audio: Audio, *, seconds: float) -> Audio:
    """One piece cut into windows of so many seconds: [windows, channels, time]. A shorter piece is one window.

    What is left at the end is covered by a last window that overlaps the one before.
    Raises ValueError for a batch of several pieces, an empty piece or a length that is not positive.
    """
    length, total = round(seconds * audio.sample_rate), audio.samples.shape[-1]
    if len(audio) != 1 or not total or length < 1:
        raise ValueError(
            f"windows: expected one piece and a positive length, "
            f"got {len(audio)} pieces of {total} samples, {seconds} s"
        )
    starts = [*range(0, total - length + 1, length)] or [0]
    if starts[-1] + length < total:
        starts.append(max(0, total - length))
    cut = [audio.samples[0, :, start : start + length] for start in starts]
    return Audio(torch.stack(cut), audio.sample_rate)


def read(source: Path | str | BinaryIO, *, max_seconds: float | None = None) -> Audio:
    """One piece [1, channels, time] from a file that libsndfile reads (WAV, FLAC, Ogg, MP3 and more).

    max_seconds: at most that much of its beginning; None: all of it.
    Raises ValueError, with the name, for a file that is missing, empty, not audio, not finite, or larger than
    MOST_SAMPLES when it is decoded.
    """
    name = str(getattr(source, "name", "audio")) if not isinstance(source, Path | str) else str(source)
    if max_seconds is not None and not max_seconds > 0:
        raise ValueError(f"{name}: expected max_seconds > 0, got {max_seconds}")
    if isinstance(source, Path | str) and not Path(source).is_file():
        raise ValueError(f"{name}: expected an audio file, there is none")
    try:
        with soundfile.SoundFile(source) as file:
            frames = -1 if max_seconds is None else math.ceil(max_seconds * file.samplerate)
            claimed = (file.frames if frames < 0 else min(frames, file.frames)) * file.channels
            if claimed > MOST_SAMPLES:
                raise ValueError(f"{name}: expected at most {MOST_SAMPLES:,} samples of sound, got {claimed:,}")
            samples = file.read(frames, dtype="float32", always_2d=True)  # [time, channels]
            rate = int(file.samplerate)
    except (soundfile.LibsndfileError, RuntimeError, OSError, TypeError) as error:
        raise ValueError(f"{name}: expected audio (WAV, FLAC, Ogg or MP3), cannot read it: {error}") from error
    if not len(samples):
        raise ValueError(f"{name}: expected some audio, the file holds none")
    if not np.isfinite(samples).all():
        raise ValueError(f"{name}: expected finite samples, some are not numbers")
    return Audio(torch.from_numpy(np.ascontiguousarray(samples.T))[None], rate)


def encode(audio: Audio, *, format: Format = FORMAT) -> bytes:  # noqa: A002 - the word for it
    """A batch of one piece as the bytes of a file. What lies beyond full scale is cut.

    Raises ValueError for another number of pieces, an unknown format, no samples, or samples that are not finite.
    """
    if format not in ENCODINGS:
        raise ValueError(f"encode: expected a format of {', '.join(ENCODINGS)}, got {format!r}")
    if len(audio) != 1 or 0 in audio.samples.shape:
        raise ValueError(f"encode: expected one piece [1, channels, time], got {tuple(audio.samples.shape)}")
    samples = audio.samples[0].detach().cpu().float().clamp(-1, 1).T.contiguous().numpy()  # [time, channels]
    if not np.isfinite(samples).all():
        raise ValueError("encode: expected finite samples, some are not numbers")
    encoding = ENCODINGS[format]
    file = io.BytesIO()
    try:
        with soundfile.SoundFile(
            file, "w", audio.sample_rate, samples.shape[1], format=encoding.container, subtype=encoding.subtype
        ) as writer:
            for start in range(0, len(samples), _ENCODED_AT_ONCE):
                writer.write(samples[start : start + _ENCODED_AT_ONCE])
    except soundfile.LibsndfileError as error:
        raise ValueError(
            f"encode: {format} cannot hold {samples.shape[1]} channels at {audio.sample_rate} Hz ({error})"
        ) from error
    return file.getvalue()


def peaks(audio: Audio, bins: int) -> Tensor:
    """The outline of each piece: the largest size of any channel in `bins` equal parts of time, [N, bins] in [0, 1]."""
    if bins < 1 or audio.samples.shape[-1] == 0:
        raise ValueError(f"peaks: expected at least one bin and one sample, got {bins} and {audio.samples.shape[-1]}")
    size = torch.nan_to_num(audio.samples.abs().amax(dim=1, keepdim=True), nan=0.0)  # [N, 1, time]
    outline: Tensor = adaptive_max_pool1d(size, bins)
    return outline[:, 0].clamp(0, 1)


def loudness(audio: Audio) -> Tensor:
    """Integrated loudness of each piece in LUFS (ITU-R BS.1770-4, by pyloudnorm): float32 [N].

    Silence, and sound that is not finite, is SILENT_LUFS; pieces shorter than 0.4 s are heard over and over.
    """
    meter = pyloudnorm.Meter(audio.sample_rate)
    samples = audio.samples.detach().cpu().double().numpy()  # [N, channels, time]
    if 0 in samples.shape[1:]:
        raise ValueError(f"loudness: expected at least one channel and sample, got {samples.shape}")
    repeats = math.ceil(_SHORTEST_LOUDNESS_SECONDS * audio.sample_rate / samples.shape[-1]) + 1
    if samples.shape[-1] < _SHORTEST_LOUDNESS_SECONDS * audio.sample_rate:
        samples = np.tile(samples, repeats)
    levels = [_level(meter, piece.T) for piece in samples]
    return torch.tensor(levels, dtype=torch.float32)


def normalise_loudness(audio: Audio, target_lufs: float = -16.0, peak_ceiling: float = 0.98) -> Audio:
    """The same pieces, each at `target_lufs`, or softer where its peak would pass `peak_ceiling` (full scale is 1).

    The gain is one number for a piece, so that nothing is distorted. Silent pieces stay as they are.
    """
    if not 0 < peak_ceiling <= 1:
        raise ValueError(f"normalise_loudness: expected 0 < peak_ceiling <= 1, got {peak_ceiling}")
    levels = loudness(audio).to(audio.samples.device)  # [N]
    gain = torch.pow(10.0, (target_lufs - levels) / 20)
    peak = audio.samples.abs().flatten(1).amax(dim=1)
    gain = torch.minimum(gain, peak_ceiling / peak.clamp_min(1e-9))
    gain = torch.where(levels > SILENT_LUFS, gain, 1.0)
    return Audio(audio.samples * gain[:, None, None], audio.sample_rate)


def _level(meter: pyloudnorm.Meter, piece: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """LUFS of float64 [time, channels]."""
    if not np.isfinite(piece).all():
        return SILENT_LUFS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the logarithm of silence
        level = float(meter.integrated_loudness(piece))
    return max(level, SILENT_LUFS) if math.isfinite(level) else SILENT_LUFS
