"""The last steps of a mix: tilt, equal loudness, a limiter that does not clip, fades."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d, uniform_filter1d
from scipy.signal import lfilter

Stereo = NDArray[np.float32]  # [2, frames]

TARGET_LUFS = -16.0
CEILING = 0.95
"""Peak after limiting, full scale 1."""

_BLOCK_SECONDS = 0.4
_LIMITER_BLOCK = 48


def tilt(mix: Stereo, *, brightness: float, sample_rate: int) -> Stereo:
    """Raises or lowers what lies above 1.6 kHz by 9 dB times brightness, and 1.5 dB more (first order).

    What lies below 20 Hz is taken away: some recordings in fonts have an offset.
    """
    gain = 10.0 ** ((9.0 * brightness + 1.5) / 20.0)
    k = math.tan(math.pi * 1600.0 / sample_rate)
    pole = (k - 1.0) / (k + 1.0)
    shelf = np.array([1.0, pole]) + (gain - 1.0) / (1.0 + k) * np.array([1.0, -1.0])
    rest = 1.0 - 2.0 * math.pi * 20.0 / sample_rate
    b = np.convolve(shelf, [1.0, -1.0]).astype(np.float32)
    a = np.convolve([1.0, pole], [1.0, -rest]).astype(np.float32)
    result: Stereo = lfilter(b, a, mix, axis=1)
    return result


def loudness(mix: Stereo, *, sample_rate: int) -> float:
    """Integrated loudness in LUFS. Source: ITU-R BS.1770-4, with blocks that do not overlap; -inf for silence."""
    size = int(_BLOCK_SECONDS * sample_rate)
    count = max(1, mix.shape[1] // size)
    blocks = mix[:, : count * size].reshape(2, count, -1)
    spectrum = scipy.fft.rfft(blocks, axis=2)
    power = spectrum.real**2 + spectrum.imag**2
    weights = _weighting(blocks.shape[2], sample_rate)
    energy = (power * weights).sum(axis=(0, 2)) * 2.0 / blocks.shape[2] ** 2
    levels = -0.691 + 10.0 * np.log10(np.maximum(energy, 1e-20))
    heard = energy[levels > -70.0]
    if not heard.size:
        return -math.inf
    gate = -0.691 + 10.0 * math.log10(float(heard.mean())) - 10.0
    kept = energy[(levels > -70.0) & (levels > gate)]
    return -0.691 + 10.0 * math.log10(float(kept.mean()))


@lru_cache(maxsize=16)
def _weighting(size: int, sample_rate: int) -> NDArray[np.float32]:
    """|K(f)|^2 of the K-weighting filter at the bins of a real FFT (its analogue prototypes, BS.1770-4 annex 1)."""
    z = np.exp(-2j * math.pi * np.arange(size // 2 + 1) / size)
    response = np.ones(size // 2 + 1, dtype=complex)
    for gain, q, centre, is_shelf in ((3.999843853973347, 0.7071752369554196, 1681.974450955533, True),
                                      (0.0, 0.5003270373238773, 38.13547087602444, False)):  # fmt: skip
        k = math.tan(math.pi * centre / sample_rate)
        if is_shelf:
            vh = 10.0 ** (gain / 20.0)
            vb = vh**0.4996667741545416
            b = (vh + vb * k / q + k * k, 2.0 * (k * k - vh), vh - vb * k / q + k * k)
        else:
            b = (1.0, -2.0, 1.0)
        a0 = 1.0 + k / q + k * k
        a = (1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0)
        b = tuple(x / a0 for x in b) if is_shelf else b
        response *= (b[0] + b[1] * z + b[2] * z * z) / (a[0] + a[1] * z + a[2] * z * z)
    power: NDArray[np.float32] = (np.abs(response) ** 2).astype(np.float32)
    return power


def level(mix: Stereo, *, sample_rate: int) -> Stereo:
    """The mix at TARGET_LUFS and never above CEILING."""
    for _ in range(2):
        now = loudness(mix, sample_rate=sample_rate)
        if not math.isfinite(now):
            return mix
        gain = 10.0 ** ((TARGET_LUFS - now) / 20.0)
        mix = limit(mix * np.float32(gain))
        # Limiting takes some loudness away; once more is enough when it took a noticeable part.
        if gain * float(np.abs(mix).max()) < CEILING * 0.999 or abs(TARGET_LUFS - now) < 0.3:
            break
    return mix


def limit(mix: Stereo) -> Stereo:
    """Turns the gain down around peaks, smoothly and before they come, so that none exceeds CEILING."""
    frames = mix.shape[1]
    blocks = -(-frames // _LIMITER_BLOCK)
    peaks = np.zeros(blocks * _LIMITER_BLOCK, dtype=np.float32)
    np.maximum(np.abs(mix[0]), np.abs(mix[1]), out=peaks[:frames])
    wanted = np.minimum(1.0, CEILING / np.maximum(peaks.reshape(blocks, -1).max(axis=1), 1e-9))
    if wanted.min() >= 1.0:
        return mix
    # The mean of minima over the same window stays below every minimum it must respect.
    held = minimum_filter1d(wanted, 9, mode="nearest")
    smooth = uniform_filter1d(held, 7, mode="nearest")
    centres = (np.arange(blocks) + 0.5) * _LIMITER_BLOCK
    gain = np.interp(np.arange(frames), centres, smooth).astype(np.float32)
    result: Stereo = np.clip(mix * gain, -CEILING, CEILING)
    return result


def fade(mix: Stereo, *, seconds: float, sample_rate: int) -> Stereo:
    """In over 4 ms, out over `seconds` (a cosine)."""
    out = min(mix.shape[1], max(1, round(seconds * sample_rate)))
    enter = min(mix.shape[1], round(0.004 * sample_rate))
    mix = mix.copy()
    mix[:, :enter] *= np.linspace(0.0, 1.0, enter, dtype=np.float32)
    mix[:, mix.shape[1] - out :] *= (0.5 + 0.5 * np.cos(np.linspace(0.0, math.pi, out))).astype(np.float32)
    return mix
