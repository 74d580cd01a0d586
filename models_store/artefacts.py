"""Faults that no music wants: clipping, DC offset, harshness, discontinuity, silence.

Each measure is 0 on clean music, rises with the fault, and never exceeds 1. None depends on how loud the piece is,
except silence. Sound that is broken (not finite anywhere) has every fault fully.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d, pad

from models_store.audio import Audio

NAMES = ("clipping", "dc_offset", "harshness", "discontinuity", "silence")

CHUNK_SAMPLES = {"cpu": 1 << 19, "cuda": 1 << 24}
"""Samples of one channel measured together: on a CPU about two pieces of five seconds, which stay in the cache; on a
GPU about a hundred, where every call costs the same whatever its size."""

CLIPPED_CLEAN, CLIPPED_SCALE = 0.0005, 0.01
"""Share of samples lying flat at the peak that is still clean (the tops of a rounded low sine are flat, too), and
that above it at which clipping reaches 1 - 1/e."""

CLIP_BLOCK = 64

OFFSET_CLEAN, OFFSET_SCALE = 0.05, 0.2
"""Offset, as a share of the effective value, that is still clean, and that above it at which it reaches 1 - 1/e."""

HARSH_HZ, HARSH_TOP_HZ = 5_000.0, 11_000.0
HARSH_CLEAN, HARSH_FULL = 0.002, 0.2
"""Noise between those frequencies, as a share of all power: clean, and fully harsh; it rises by the decibel."""
TONES = 0.05
"""How much a steady tone above HARSH_HZ counts beside noise: bells and sitars have such tones."""
SUSTAINED_QUANTILE = 0.1
"""Cymbals come and go, noise stays: the quantile over time counts, not the mean."""
NOISE_MEAN = math.exp(0.5772)
"""Mean over geometric mean of the power of noise, which is exponentially distributed (Euler's constant)."""

HUSHED_POWER = 1e-6
"""Power of a window that is as good as silent, where nothing is harsh."""

BLOCK_SECONDS = 0.001
CLICK_RATIO = 2.5
"""How far the curvature of one millisecond must stand above the 25 ms before *and* after it to be a click. A drum is
as rough after its onset as in it; a click, a jump and a torn edge are alone."""
CLICK_NEIGHBOURS = 26
TORN_BLOCKS = 3
"""Milliseconds of nothing at all that make a torn edge of the sound before."""
TORN_SHARE = 0.5
"""How much of the curvature before it the very edge must have, or the sound was fading."""
TORN_BEFORE = 0.2
"""How much of the curvature of the edge the sound before it must have had, or it was a short stroke."""
CLICK_FLOOR = 0.1
"""Curvature, as a share of the effective value of the piece, below which a click is not heard."""
CLICKS_PER_SECOND = 1.0
"""Full clicks per second at which discontinuity reaches 1 - 1/e."""

SILENT_LEVEL = 10 ** (-70 / 20)
QUIET_LEVEL = 10 ** (-55 / 20)
"""Effective values re full scale: at or below the first a piece is silent, from the second on it is not."""
HUSH = 10 ** (-60 / 20)
"""A frame this far below the loudest frame is a gap."""
GAPS_CLEAN = 0.3
"""Share of a piece that may be gaps: rests and tails."""
GAP_SECONDS = 0.4

TINY = 1e-12


@torch.inference_mode()
def measure(audio: Audio) -> Tensor:
    """All measures of Audio [N, channels, time]: float32 [N, 5] in the order of NAMES, on the device of the sound.

    Works in chunks, so memory does not grow with N. Raises ValueError when there is nothing to measure.
    """
    pieces, channels, time = audio.samples.shape
    if 0 in (pieces, channels, time):
        raise ValueError(
            f"artefacts: expected at least one piece, channel and sample, got {tuple(audio.samples.shape)}"
        )
    at_once = CHUNK_SAMPLES.get(audio.samples.device.type, CHUNK_SAMPLES["cpu"])
    chunks = audio.samples.split(max(1, at_once // time))
    return torch.cat([_measure(chunk, audio.sample_rate) for chunk in chunks])


def total(measures: Tensor) -> Tensor:
    """One number [N] in [0, 1] of measures [N, 5]: 1 - product of (1 - measure).

    As if each fault spoiled the piece on its own with that probability: no fault gives 0, one full fault gives 1
    whatever the others are (silence too, which has no other fault), and two half ones are worse than one.
    Anything that is not a number counts as a full fault.
    """
    if measures.ndim != 2 or measures.shape[1] != len(NAMES):
        raise ValueError(f"artefacts.total: expected [N, {len(NAMES)}], got {tuple(measures.shape)}")
    faults = torch.nan_to_num(measures, nan=1.0, posinf=1.0, neginf=1.0).clamp(0, 1)
    return 1 - (1 - faults).prod(dim=1)


def clipping(samples: Tensor) -> Tensor:
    """[N] of [N, channels, time]: how much of the worst channel lies flat at its peak, or beyond full scale.

    Cut waves repeat the very same value; whether they were scaled afterwards does not matter. What goes beyond full
    scale will be cut when it is played.
    """
    length = min(CLIP_BLOCK, samples.shape[-1])
    blocks = samples[..., : samples.shape[-1] // length * length].unflatten(-1, (-1, length))
    top = torch.maximum(blocks.amax(dim=-1), -blocks.amin(dim=-1))  # [N, channels, blocks]
    peak = top.amax(dim=-1, keepdim=True)
    limit = (0.99 * peak).clamp(TINY, 1.0).expand_as(top)
    near = top >= limit  # few blocks of clean music: only those are looked at closely
    picked, limit = blocks[near], limit[near][:, None]  # [picked, length]
    equal = picked[:, 1:] == picked[:, :-1]
    size = picked.abs()
    flat = equal[:, 1:] & equal[:, :-1] & (size[:, 1:-1] >= limit)  # three equal samples
    counts = torch.zeros_like(top)
    counts[near] = (flat.sum(dim=-1) + (size > 1.0).sum(dim=-1)).to(counts)
    share = counts.sum(dim=-1).amax(dim=1) / samples.shape[-1]
    return _saturate((share - CLIPPED_CLEAN) / CLIPPED_SCALE)


def dc_offset(samples: Tensor) -> Tensor:
    """[N] of [N, channels, time]: the mean of the worst channel, as a share of its effective value.

    The mean is taken under a Hann window: a low note that ends in the middle of a wave has no offset.
    """
    mean = samples @ _hann(samples.shape[-1], samples.device)  # [N, channels]
    share = mean.abs() / (samples.square().mean(dim=-1).sqrt() + TINY)
    return _saturate((share.amax(dim=1) - OFFSET_CLEAN) / OFFSET_SCALE)


def harshness(samples: Tensor, sample_rate: int) -> Tensor:
    """[N] of [N, channels, time]: the share of power that is steady noise between 5 and 11 kHz, or whistling above.

    White noise at 44.1 kHz has a quarter of its power there. Of music neither the bright tones count, which leave
    gaps between them (so a geometric mean over frequency is taken), nor the cymbals, which die away between strokes.
    """
    window = 1 << max(5, round(math.log2(0.023 * sample_rate)))
    middle = samples.mean(dim=1)  # [N, time]
    if middle.shape[-1] < 4 * window:
        middle = pad(middle, (0, 4 * window - middle.shape[-1]))
    frames = middle.unfold(-1, window, window) * torch.hann_window(window, device=samples.device)
    spectrum = torch.fft.rfft(frames)
    power = spectrum.real.square() + spectrum.imag.square()  # [N, frames, bins]
    first, last = (math.ceil(hertz * window / sample_rate) for hertz in (HARSH_HZ, HARSH_TOP_HZ))
    high, above = power[..., first:last], power[..., first:].sum(dim=-1)  # [N, frames, high bins], [N, frames]
    if high.shape[-1] == 0:
        return samples.new_zeros(len(samples))
    noise = NOISE_MEAN * high.clamp_min(TINY).log().mean(dim=-1).exp() * high.shape[-1]  # [N, frames]
    steady = torch.maximum(_sustained(noise), TONES * _sustained(above))
    share = steady / (power.sum(dim=-1).mean(dim=-1) + HUSHED_POWER)
    return (torch.log(share / HARSH_CLEAN + TINY) / math.log(HARSH_FULL / HARSH_CLEAN)).clamp(0, 1)


def _sustained(power: Tensor) -> Tensor:
    """[N] of [N, frames]: a low quantile over time, lower still the more unsteady the power is."""
    rank = max(1, int(SUSTAINED_QUANTILE * power.shape[1]))
    lasting = power.kthvalue(rank, dim=1).values
    return lasting * lasting / (power.mean(dim=1) + TINY)


def discontinuity(samples: Tensor, sample_rate: int) -> Tensor:
    """[N] of [N, channels, time]: clicks, jumps and torn edges per second, the audible ones more.

    The curvature (second difference) of one millisecond is compared with its surroundings on both sides. Where
    sound breaks off into nothing, the edge counts in rough music as well.
    """
    quarter = max(2, round(BLOCK_SECONDS / 4 * sample_rate))
    curve = (samples[..., 2:] + samples[..., :-2]).sub_(samples[..., 1:-1], alpha=2)
    blocks = curve.shape[-1] // (4 * quarter)
    width = blocks - 2 * CLICK_NEIGHBOURS
    if width < 1:
        return samples.new_zeros(len(samples))
    fine = curve[..., : blocks * 4 * quarter].unflatten(-1, (blocks, 4, quarter)).abs_().amax(dim=-1)
    rough = fine.amax(dim=-1)  # [N, channels, blocks]
    side = max_pool1d(rough, CLICK_NEIGHBOURS - 1, stride=1)  # the roughest of 25 blocks, from each block on
    before, after = side[..., :width], side[..., -width:]  # one block next to the centre is left out
    effective = samples.square().mean(dim=-1, keepdim=True).sqrt() + TINY
    centre = rough[..., CLICK_NEIGHBOURS : CLICK_NEIGHBOURS + width]
    ratio = centre / (torch.maximum(before, after) + CLICK_FLOOR / CLICK_RATIO * effective)
    clicks = (ratio / CLICK_RATIO - 1).clamp(0, 1)  # [N, channels, width]
    size = (centre / effective).clamp(0, 1)
    nothing = max_pool1d(rough, TORN_BLOCKS, stride=1)[..., CLICK_NEIGHBOURS + 1 :][..., :width] == 0
    edges = nothing & (size > CLICK_FLOOR)
    clicks[edges] = torch.maximum(clicks[edges], _torn(fine, edges, before))
    rate = (clicks * size).sum(dim=-1).amax(dim=1) * sample_rate / samples.shape[-1]
    return _saturate(rate / CLICKS_PER_SECOND)


def _torn(fine: Tensor, edges: Tensor, before: Tensor) -> Tensor:
    """0 or 1 for each of the edges, [number of edges]: whether the sound was all there to its last quarter millisecond.

    fine: curvature by quarters of a block [N, channels, blocks, 4]. edges: where nothing follows, by block from
    CLICK_NEIGHBOURS on. before: curvature of the 25 ms before. A note that is released fades, if only for 1 ms.
    """
    piece, channel, block = edges.nonzero(as_tuple=True)
    block = block + CLICK_NEIGHBOURS
    last = torch.cat([fine[piece, channel, block - 1], fine[piece, channel, block]], dim=-1)  # [edges, 8]
    place = torch.arange(8, device=fine.device)
    end = torch.where(last > 0, place, 0).amax(dim=-1, keepdim=True)
    final = torch.where((place == end) | (place == end - 1), last, 0.0).amax(dim=-1)
    level = before[edges]
    return ((final > TORN_SHARE * level) & (level > TORN_BEFORE * final)).to(fine)


def silence(samples: Tensor, sample_rate: int) -> Tensor:
    """[N] of [N, channels, time]: how much of the piece is gaps, or how nearly the whole is inaudible."""
    frame = max(1, min(samples.shape[-1], round(GAP_SECONDS * sample_rate)))
    power = samples.square().mean(dim=1)  # [N, time]
    frames = power.unfold(-1, frame, frame).mean(dim=-1).sqrt()  # [N, frames], effective values
    gap = torch.maximum(frames.amax(dim=-1, keepdim=True) * HUSH, frames.new_tensor(SILENT_LEVEL))
    share = (frames <= gap).float().mean(dim=-1)
    gaps = ((share - GAPS_CLEAN) / (1 - GAPS_CLEAN)).clamp(0, 1)
    loudest = frames.amax(dim=-1).clamp_min(TINY)
    faint = (torch.log(QUIET_LEVEL / loudest) / math.log(QUIET_LEVEL / SILENT_LEVEL)).clamp(0, 1)
    return torch.maximum(gaps, faint)


def _measure(samples: Tensor, sample_rate: int) -> Tensor:
    """[n, 5]"""
    broken = ~torch.isfinite(samples.sum(dim=(1, 2)))  # [n]; one bad sample spoils the sum
    sound = samples.float()
    if bool(broken.any()):
        sound = torch.where(broken[:, None, None], 0.0, sound)
    measures = torch.stack(
        [
            clipping(sound),
            dc_offset(sound),
            harshness(sound, sample_rate),
            discontinuity(sound, sample_rate),
            silence(sound, sample_rate),
        ],
        dim=1,
    )
    measures[broken] = 1.0
    return measures


@lru_cache(maxsize=8)
def _hann(length: int, device: torch.device) -> Tensor:
    """A Hann window whose sum is 1."""
    weights = torch.hann_window(length, periodic=False, device=device) + TINY
    return weights / weights.sum()


def _saturate(fault: Tensor) -> Tensor:
    """From [0, infinity) to [0, 1): nothing below zero, 1 - 1/e at one."""
    return 1 - torch.exp(-fault.clamp_min(0))
