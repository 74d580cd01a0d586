"""What is thought of a listener before anything is rated: several prior beliefs, among which the evidence decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor

from models_store.taste.features import Features, nearness

SPREADS = {0.25: 0.15, 0.5: 0.35, 1.2: 0.25, 4.0: 0.15, 16.0: 0.1}
"""How decided a listener may be, and how probable that is: most that moves a person cannot be heard."""

LAPSES = {0.005: 0.4, 0.1: 0.6}
"""How often a listener may slip, and how probable that is."""

COMMON = 0.6
"""The probability of the first of MIXTURES."""

LEAN, LEANING = -0.5, 0.4
"""What a listener of spread 1 thinks of any song at all, and its deviation: three songs in ten are liked, as by the
reference users."""


@dataclass(frozen=True)
class Prior:
    """A Gaussian belief about a liking, linear in a song's `Features`.

    spread: deviation of the logit of "like" over songs: how decided a listener is. lapse: probability of a slip.
    like_users: of the variance, the share that lies as the reference users do; anywhere: in all directions of the
    common space alike; sound: in the encoder's own features; peaks: around single songs. They sum to 1.
    likely: how probable this belief is beforehand, compared with others.
    """

    spread: float
    lapse: float
    like_users: float = 0.8
    anywhere: float = 0.2
    sound: float = 0.0
    peaks: float = 0.0
    likely: float = 1.0


MIXTURES: tuple[Mapping[str, float], ...] = (
    {"like_users": 0.3, "anywhere": 0.7},
    {"like_users": 0.65, "anywhere": 0.35},
    {"like_users": 0.4, "anywhere": 0.2, "sound": 0.4},
    {"like_users": 0.4, "anywhere": 0.2, "peaks": 0.4},
    {"like_users": 0.25, "anywhere": 0.15, "sound": 0.3, "peaks": 0.3},
)
"""Where the variance may lie; the first is what most listeners are like."""

DECIDED = tuple(
    Prior(spread, lapse, likely=SPREADS[spread] * LAPSES[lapse]) for spread, lapse in product(SPREADS, LAPSES)
)


def mixed(decided: Sequence[Prior], mixtures: Sequence[Mapping[str, float]]) -> list[Prior]:
    """Each of the priors with its variance laid elsewhere in each of these ways, which are less common."""
    share = (1.0 - COMMON) / COMMON / max(1, len(MIXTURES) - 1)
    return [replace(prior, **mixture, likely=prior.likely * share) for prior in decided for mixture in mixtures]


@dataclass(frozen=True)
class Users:
    """The reference users where songs are looked at: unit vectors [users, places], their mean and covariance."""

    vectors: Tensor
    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, features: Features) -> Users:
        """The users of the features' aligner."""
        aligner = features.aligner
        with torch.no_grad():
            vectors = features.placed(aligner.project_users(aligner.reference_users()))
        covariance = torch.cov(vectors.T, correction=0).reshape(vectors.shape[1], vectors.shape[1])
        floor = 0.01 * covariance.diagonal().mean() + 1e-9
        return cls(vectors, vectors.mean(dim=0), covariance + floor * torch.eye(len(covariance), dtype=torch.float64))


@dataclass(frozen=True)
class Scales:
    """What makes each part of a song's numbers vary by 1 over songs. users: deviation of the users' cosines."""

    users: float
    anywhere: float
    sound: float

    @classmethod
    def of(cls, features: Features, numbers: Tensor, users: Users) -> Scales:
        """From the numbers [N, size] of rated songs; of few songs half is taken from what a song could be."""
        place, sound, _ = features.parts()
        trust, places = len(numbers) / (len(numbers) + 4.0), numbers[:, place]
        expected = users.covariance.diagonal().mean()
        seen = ((places @ users.covariance) * places).sum(dim=1).mean() if len(numbers) else expected
        length = places.square().sum(dim=1).mean() if len(numbers) else torch.ones((), dtype=torch.float64)
        heard = float(numbers[:, sound].square().sum(dim=1).mean()) if len(numbers) and features.sounds.numel() else 0.0
        return cls(
            users=float((trust * seen + (1.0 - trust) * expected).clamp_min(1e-12)) ** 0.5,
            anywhere=float(length.clamp_min(1e-12)) ** 0.5,
            sound=max(heard, 1e-9) ** 0.5,
        )


@dataclass(frozen=True)
class Whitened:
    """G priors as standard normals: vector = mean + maps @ z. mean: [G, size]; maps: [G, size, D].

    D is the size, or less where no prior looks at some of the numbers.
    """

    mean: Tensor
    maps: Tensor


def whiten(priors: Sequence[Prior], features: Features, users: Users, scales: Scales) -> Whitened:
    """The priors over vectors of the features' size."""
    place, sound, peaks = features.parts()
    mean = torch.zeros(len(priors), features.size, dtype=torch.float64)
    maps = torch.zeros(len(priors), features.size, features.size, dtype=torch.float64)
    looked_at = torch.ones(features.size, dtype=torch.bool)
    looked_at[sound] = any(prior.sound for prior in priors)
    looked_at[peaks] = any(prior.peaks for prior in priors)
    around = _kernel_root(features) if bool(looked_at[peaks].any()) else torch.zeros((), dtype=torch.float64)
    roots: dict[tuple[float, float], Tensor] = {}
    for row, prior in enumerate(priors):
        mixture = (prior.like_users, prior.anywhere)
        if mixture not in roots:
            roots[mixture] = _place_root(*mixture, users, scales)
        mean[row, place] = prior.spread * prior.like_users**0.5 * users.mean / scales.users
        # As far as a listener is like the users, the users' own mean says how much is liked.
        mean[row, -1] = prior.spread * (1.0 - prior.like_users**0.5) * LEAN
        maps[row, place, place] = prior.spread * roots[mixture]
        maps[row, sound, sound].fill_diagonal_(prior.spread * prior.sound**0.5 / scales.sound)
        maps[row, peaks, peaks] = prior.spread * prior.peaks**0.5 * around
        maps[row, -1, -1] = LEANING * prior.spread**0.5
    return Whitened(mean, maps[:, :, looked_at])


def _place_root(like_users: float, anywhere: float, users: Users, scales: Scales) -> Tensor:
    """A root of the covariance of the part of a vector that looks at places: [places, places]."""
    eye = torch.eye(len(users.mean), dtype=torch.float64)
    covariance = like_users * users.covariance / scales.users**2 + (anywhere / scales.anywhere**2 + 1e-9) * eye
    root: Tensor = torch.linalg.cholesky(covariance)
    return root


def _kernel_root(features: Features) -> Tensor:
    """What turns nearness to the peaks into independent numbers: [m, m], an inverse root of their kernel."""
    places = features.peaks.double()
    kernel = nearness(places, places, features.width) + 1e-3 * torch.eye(len(places), dtype=torch.float64)
    size, axes = torch.linalg.eigh(kernel)
    root: Tensor = (axes / size.clamp_min(1e-6).sqrt()) @ axes.T
    return root
