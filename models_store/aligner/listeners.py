"""Invented listeners of many kinds: a dozen scenes, with those who love and those who hate them, and people of none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

KINDS = ("narrow", "contrary", "broad", "mixture")
"""Narrow: loves what a scene loves. Contrary: hates it, and loves what it hates. Broad: a bit of everything, and of
no scene. Mixture: whatever one of two scenes loves."""

SCENES = 12
COORDINATES = 5
"""How many numbers say how a word sounds, for words that sound alike to be loved alike."""

CROWD = 240
"""Tastes from which it is estimated what everybody likes. That is taken out."""

OWN = 0.35
"""What a member of a scene has of their own; the scene's part is such that the variances add up to 1."""

_NOISE = 0.4
_NARROWNESS = 3.0


@dataclass(frozen=True)
class Facet:
    """One thing to care about, for N songs.

    features: float32 [N, F], words said (0 or 1) or numbers heard. coordinates: [F, COORDINATES], how each sounds;
    None: each is liked or not without regard to the others.
    care: how much the mean listener cares about it, compared with the others.
    """

    features: Tensor
    coordinates: Tensor | None
    care: float


@dataclass(frozen=True)
class Listeners:
    """M listeners of N songs.

    kinds: one of KINDS each. scenes: number of the scene that they follow or hate, the first of a mixture's two;
    -1 for those who belong to none.
    likes: bool [M, N]. counts: float32 [M, N], how often each song was listened to.
    utility: float32 [M, N], what they think of each song, without the noise, over what they would listen to:
    0 is their border between like and dislike, 1 a standard deviation over the songs.
    """

    kinds: tuple[str, ...]
    scenes: tuple[int, ...]
    likes: Tensor
    counts: Tensor
    utility: Tensor

    def __len__(self) -> int:
        return len(self.kinds)


def invent(facets: Sequence[Facet], *, count: int, seed: int) -> Listeners:
    """Invent `count` listeners with hidden tastes and let them listen to all songs of the facets.

    A listener likes the 18 to 45 % of the songs whose utility, with noise, is highest, and listens to these, the more
    often the higher. No song is liked by more or fewer than others because of what it is: what a crowd likes on the
    average, and how much it differs about a song, is taken out of everybody's taste. So the mean taste
    says next to nothing about anybody.
    """
    if count < 1:
        raise ValueError(f"invent_listeners: expected a count of at least 1, got {count}")
    generator = torch.Generator().manual_seed(seed)
    scenes = [_taste(facets, generator, narrowness=_NARROWNESS) for _ in range(SCENES)]
    crowd = torch.stack([_invent(facets, scenes, generator)[2] for _ in range(CROWD)])  # [CROWD, N]
    common, spread = crowd.mean(dim=0), crowd.std(dim=0, correction=0).clamp_min(0.1)
    invented = [_invent(facets, scenes, generator) for _ in range(count)]
    utility = standard((torch.stack([taste for _, _, taste in invented]) - common) / spread, dim=1)  # [M, N]
    share = 0.18 + 0.27 * torch.rand(count, generator=generator)
    felt = utility + _NOISE * torch.randn(utility.shape, generator=generator)
    likes, least = _best(felt, share)
    return Listeners(
        kinds=tuple(kind for kind, _, _ in invented),
        scenes=tuple(scene for _, scene, _ in invented),
        likes=likes,
        counts=likes * (1.0 + torch.poisson((felt - least).exp(), generator=generator)),
        utility=utility - _best(utility, share)[1],
    )


def principal(rows: Tensor) -> Tensor:
    """The first principal components of rows [R, F], standardised: [R, COORDINATES], 0 where there are too few."""
    coordinates = torch.zeros(len(rows), COORDINATES)
    if len(rows) > 1:
        left, size, _ = torch.linalg.svd(rows - rows.mean(dim=0), full_matrices=False)
        kept = min(COORDINATES, len(size) - 1)
        coordinates[:, :kept] = standard(left[:, :kept] * size[:kept])
    return coordinates


def standard(values: Tensor, *, dim: int = 0) -> Tensor:
    """Zero mean and unit deviation along `dim`; what does not vary becomes 0."""
    deviation = values.std(dim=dim, keepdim=True, correction=0)
    return (values - values.mean(dim=dim, keepdim=True)) / torch.where(deviation > 1e-6, deviation, torch.inf)


def _best(utility: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Each listener's `share` [M] of the songs of the highest utility [M, N]: bool [M, N]; and the least: [M, 1]."""
    chosen = (share * utility.shape[1]).long().clamp_min(1)
    least = utility.sort(dim=1, descending=True).values.gather(1, chosen[:, None] - 1)  # [M, 1]
    return utility >= least, least


def _invent(facets: Sequence[Facet], scenes: Sequence[Tensor], generator: torch.Generator) -> tuple[str, int, Tensor]:
    """A listener: kind, scene, and the utility of every song: [N], standardised."""
    kind = KINDS[int(torch.randint(len(KINDS), (), generator=generator))]
    if kind == "broad":
        return kind, -1, _taste(facets, generator, narrowness=1.0)
    first, second = torch.randperm(len(scenes), generator=generator)[:2].tolist()
    if kind == "mixture":
        tastes = [_of(scenes[scene], facets, generator) for scene in (first, second)]
        return kind, first, standard(torch.maximum(*tastes))
    return kind, first, _of(scenes[first] if kind == "narrow" else -scenes[first], facets, generator)


def _of(scene: Tensor, facets: Sequence[Facet], generator: torch.Generator) -> Tensor:
    """The taste of somebody of a scene [N]: most of it the scene's, a part their own: [N]."""
    return standard((1 - OWN**2) ** 0.5 * scene + OWN * _taste(facets, generator, narrowness=1.0))


def _taste(facets: Sequence[Facet], generator: torch.Generator, *, narrowness: float) -> Tensor:
    """The utility of every song to a new taste: [N], standardised.

    A taste weighs the facets and, in each, the words or numbers. Words that sound alike are loved alike, in
    part: a word's weight is a linear function of its coordinates plus something of its own.
    narrowness: 1 cares about most facets, 3 about one or two.
    """
    # Exponential draws are a Dirichlet; cubed, one or two of them outweigh the others.
    importance = torch.empty(len(facets)).exponential_(generator=generator) ** narrowness
    importance = importance * torch.tensor([facet.care for facet in facets])
    total = torch.zeros(len(facets[0].features))
    for weight, facet in zip(importance / importance.sum(), facets, strict=True):
        loved = torch.randn(facet.features.shape[1], generator=generator)
        if facet.coordinates is not None:
            alike = facet.coordinates @ torch.randn(COORDINATES, generator=generator) / COORDINATES**0.5
            loved = 0.85 * alike + 0.53 * loved
        total = total + weight * standard(facet.features @ loved)
    return standard(total)
