"""Many Bayesian probit regressions at once, by expectation propagation: posterior and evidence of each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.special import ndtr

SWEEPS = 10
ROUGH = 3
"""Sweeps after which the evidence of a prior is known to a few tenths, unless it is out of the question."""

_DAMPING = 0.95
_CLOSE = 0.1
_LEAST = 1e-8


@dataclass(frozen=True)
class Evidence:
    """What was said, as G regressions over D whitened numbers see it; all float64.

    songs: [G, n, D]. offset: [G, n], the score before anything is learned. signs: [n], 1 like, -1 dislike.
    weights: [G, n] or [1, n], how often each rating counts. lapse: [G], the probability of a slip:
    P(like) = lapse + (1 - 2 lapse) Phi(score).
    wishes: [G, e, D] and wanted [G, e]: numbers that shall come out at these values, give or take looseness [G, e].
    """

    songs: Tensor
    offset: Tensor
    signs: Tensor
    weights: Tensor
    lapse: Tensor
    wishes: Tensor
    wanted: Tensor
    looseness: Tensor


@dataclass(frozen=True)
class Fit:
    """mean: [G, D]. factor: [G, D, D], the lower Cholesky factor of the posterior's precision. evidence: [G], logs."""

    mean: Tensor
    factor: Tensor
    evidence: Tensor


@dataclass(frozen=True)
class _Sites:
    """The Gaussian factors that stand for the answers, of a copy each: precision and precision times mean: [G, n]."""

    precision: Tensor
    pull: Tensor


@dataclass(frozen=True)
class _Tilted:
    """Marginals with one copy of an answer taken out (mean, variance) and put back exactly. Each [G, n]."""

    mean: Tensor
    variance: Tensor
    log: Tensor
    sites: _Sites


def fit(known: Evidence, *, sweeps: int = SWEEPS) -> Fit:
    """The posteriors under standard normal priors.

    Minka (2001, Expectation propagation for approximate Bayesian inference), all sites at once, damped; a Laplace
    approximation was tried and is overcautious where answers are sharp: it lies at the mode of a skewed posterior.
    sweeps: at most; fewer when no score moves by more than a tenth of its deviation.
    An answer that counts w > 1 times is w sites; one that counts w < 1 has its log moments scaled by w.
    """
    shape = known.songs.shape[:2]
    copies = known.weights.clamp_min(1.0).expand(shape)
    sites = _Sites(torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64))
    last = torch.zeros(shape, dtype=torch.float64)
    for sweep in range(sweeps):
        posterior = _posterior(known, sites, copies)
        tilted = _tilt(known, posterior, sites)
        sites = _Sites(
            sites.precision + _DAMPING * (tilted.sites.precision - sites.precision),
            sites.pull + _DAMPING * (tilted.sites.pull - sites.pull),
        )
        moved, last = (posterior.score - last).abs() / posterior.variance.sqrt(), posterior.score
        if sweep and (not moved.numel() or float(moved.max()) < _CLOSE):
            break
    posterior = _posterior(known, sites, copies)
    return Fit(posterior.mean, posterior.factor, _evidence(known, posterior, sites, copies))


@dataclass(frozen=True)
class _Posterior:
    """mean: [G, D]; factor: [G, D, D]; score, variance: [G, n] of the rated songs, without the offset; volume: [G]."""

    mean: Tensor
    factor: Tensor
    score: Tensor
    variance: Tensor
    volume: Tensor


def _posterior(known: Evidence, sites: _Sites, copies: Tensor) -> _Posterior:
    size = known.songs.shape[2]
    precision = (known.songs * (copies * sites.precision)[:, :, None]).transpose(1, 2) @ known.songs  # [G, D, D]
    pull = ((copies * sites.pull)[:, None] @ known.songs)[:, 0]  # [G, D]
    if known.wishes.shape[1]:
        sharp = known.wishes / known.looseness[:, :, None]
        precision = precision + sharp.transpose(1, 2) @ sharp
        pull = pull + ((known.wanted / known.looseness)[:, None] @ sharp)[:, 0]
    factor = torch.linalg.cholesky(precision + torch.eye(size, dtype=torch.float64))
    mean = torch.cholesky_solve(pull[:, :, None], factor)[:, :, 0]  # [G, D]
    reached = known.songs @ torch.cholesky_inverse(factor)  # [G, n, D]
    variance = (reached * known.songs).sum(dim=2).clamp_min(1e-12)  # [G, n]
    volume = 0.5 * (pull * mean).sum(dim=1) - factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    return _Posterior(mean, factor, (known.songs @ mean[:, :, None])[:, :, 0], variance, volume)


def _tilt(known: Evidence, posterior: _Posterior, sites: _Sites) -> _Tilted:
    """Rasmussen and Williams (2006), section 3.6, for a likelihood with slips."""
    inner = (1.0 / posterior.variance - sites.precision).clamp_min(_LEAST)
    variance = 1.0 / inner
    mean = variance * (posterior.score / posterior.variance - sites.pull)
    root = (1.0 + variance).sqrt()
    margin = known.signs * (mean + known.offset) / root
    sure = 1.0 - 2.0 * known.lapse[:, None]
    probability = (known.lapse[:, None] + sure * ndtr(margin)).clamp_min(1e-300)
    density = sure * (-0.5 * margin.square()).exp() / (math.sqrt(2.0 * math.pi) * probability)
    fraction = known.weights.clamp_max(1.0)
    slope = fraction * known.signs * density / root
    bend = fraction * density * (density + margin) / root.square()
    new_variance = (variance - variance.square() * bend).clamp_min(1e-10)
    new_mean = mean + variance * slope
    precision = (1.0 / new_variance - inner).clamp_min(_LEAST)
    pull = new_mean * (inner + precision) - inner * mean
    return _Tilted(mean, variance, fraction * probability.log(), _Sites(precision, pull))


def _evidence(known: Evidence, posterior: _Posterior, sites: _Sites, copies: Tensor) -> Tensor:
    """The log of the answers' and wishes' probability, up to the wishes' constant: [G].

    The partition functions of the posterior and, site by site, of what it is with and without the site (Minka 2005,
    Divergence measures and message passing, section 4.4).
    """
    tilted = _tilt(known, posterior, sites)

    def partition(mean: Tensor, variance: Tensor) -> Tensor:
        return 0.5 * (variance.log() + mean.square() / variance)

    each = tilted.log + partition(tilted.mean, tilted.variance) - partition(posterior.score, posterior.variance)
    unmet = 0.5 * (known.wanted / known.looseness).square().sum(dim=1)
    evidence: Tensor = posterior.volume + (copies * each).sum(dim=1) - unmet
    return evidence
