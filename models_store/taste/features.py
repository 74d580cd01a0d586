"""The numbers of a song in which a liking is linear: its place in the common space, how it sounds, what it is near."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models_store.aligner.model import AlignerV2

SOUNDS = 24
"""Directions of the encoder's own features that are looked at."""

PEAKS = 32
"""Songs around which a liking may have a peak of its own."""

_HEARD_FOR_SOUNDS = 128
_LARGEST_PLACE = 96
"""Numbers of the common space that are looked at; of a larger one, the directions that users differ in most."""


@dataclass(frozen=True)
class Features:
    """Songs as numbers [N, size], float64: place | sound | nearness | 1.

    axes: [projection, places] directions of the common space; None: all of it, as it is.
    sounds: [layers * dim, n] directions in the encoder's standardised features, n >= 0, of unit norm.
    peaks: [m, places] places of songs, m >= 0. width: the distance at which nearness to one has fallen to exp(-1/2).
    """

    aligner: AlignerV2
    axes: Tensor | None
    sounds: Tensor
    peaks: Tensor
    width: float

    @property
    def places(self) -> int:
        return self.aligner.config.projection if self.axes is None else self.axes.shape[1]

    @property
    def size(self) -> int:
        return self.places + self.sounds.shape[1] + len(self.peaks) + 1

    def parts(self) -> tuple[slice, slice, slice]:
        """Where place, sound and nearness stand; the last number is 1."""
        first, second = self.places, self.places + self.sounds.shape[1]
        return slice(0, first), slice(first, second), slice(second, second + len(self.peaks))

    def of(self, embeddings: Tensor) -> Tensor:
        """The numbers of songs [N, layers, dim]: [N, size]."""
        place = self.place(embeddings)
        columns = [place]
        if self.sounds.shape[1]:
            heard = self.aligner.standardise(embeddings).flatten(1)  # [N, layers * dim]
            columns.append((heard.float() @ self.sounds).double())
        if len(self.peaks):
            columns.append(nearness(place, self.peaks.double(), self.width))
        return torch.cat([*columns, torch.ones(len(place), 1, dtype=torch.float64)], dim=1)  # [N, size]

    def place(self, embeddings: Tensor) -> Tensor:
        """Where songs [N, layers, dim] stand: [N, places]."""
        with torch.no_grad():
            return self.placed(self.aligner.project_songs(embeddings))

    def placed(self, vectors: Tensor) -> Tensor:
        """Vectors of the common space [N, projection] in the axes that are looked at: [N, places]."""
        return vectors.double() if self.axes is None else vectors.double() @ self.axes.double()

    def state(self) -> dict[str, Tensor]:
        """All but the aligner."""
        kept = {"sounds": self.sounds.half(), "peaks": self.peaks, "width": torch.tensor(self.width)}
        return kept if self.axes is None else {**kept, "axes": self.axes}

    @classmethod
    def of_state(cls, aligner: AlignerV2, state: Mapping[str, Tensor]) -> Features:
        """What `state` was taken from."""
        return cls(aligner, state.get("axes"), state["sounds"].float(), state["peaks"], float(state["width"]))


def nearness(places: Tensor, peaks: Tensor, width: float) -> Tensor:
    """How near places [N, P] are to peaks [m, P]: [N, m] in (0, 1]."""
    return (-torch.cdist(places, peaks).square() / (2.0 * width * width)).exp()


def plain(aligner: AlignerV2) -> Features:
    """Features that look at nothing but the common space."""
    axes, sounds = _axes(aligner), aligner.config.layers * aligner.config.dim
    places = aligner.config.projection if axes is None else axes.shape[1]
    return Features(aligner, axes, torch.zeros(sounds, 0), torch.zeros(0, places), 1.0)


def look(plain: Features, embeddings: Tensor, liked: Tensor) -> Features:
    """Features that suit songs [N, layers, dim] of which some are liked (bool) [N]; N >= 0.

    sounds: principal directions of (some of) these songs: as long as there are no more songs than directions, nothing
    that a linear function of the encoder's features can say of them is lost. peaks: songs liked first.
    """
    chosen = _even(torch.arange(len(embeddings)), _HEARD_FOR_SOUNDS)
    with torch.no_grad():
        heard = plain.aligner.standardise(embeddings[chosen]).flatten(1).double()  # [n, layers * dim]
    likes, others = liked.nonzero().flatten(), (~liked).nonzero().flatten()
    most = min(len(likes), max(2 * PEAKS // 3, PEAKS - len(others)))
    around = torch.cat([_even(likes, most), _even(others, PEAKS - most)])
    peaks = plain.place(embeddings[around]).float()
    return replace(plain, sounds=_principal(heard), peaks=peaks, width=_typical_distance(peaks))


def _even(indices: Tensor, most: int) -> Tensor:
    """At most `most` of the indices, evenly spread over them."""
    if len(indices) <= most:
        return indices
    return indices[torch.linspace(0, len(indices) - 1, max(most, 0)).round().long()]


def _axes(aligner: AlignerV2) -> Tensor | None:
    """The directions of the common space in which the reference users lie most: [projection, places]."""
    if aligner.config.projection <= _LARGEST_PLACE:
        return None
    users = aligner.project_users(aligner.reference_users()).double()
    axes: Tensor = torch.linalg.eigh(users.T @ users)[1][:, -_LARGEST_PLACE:]
    leading: Tensor = axes.flip(1).float()
    return leading


def _principal(heard: Tensor) -> Tensor:
    """The principal directions of songs [n, features]: [features, at most SOUNDS], in half precision's numbers."""
    if not len(heard):
        return torch.zeros(heard.shape[1], 0)
    size, left = torch.linalg.eigh(heard @ heard.T)
    kept = [place for place in range(len(size) - 1, -1, -1) if size[place] > 1e-6 * size[-1].clamp_min(1e-9)]
    kept = kept[:SOUNDS]
    directions = heard.T @ left[:, kept] / size[kept].sqrt()  # [features, kept]
    rounded: Tensor = directions.half().float()
    return rounded


def _typical_distance(places: Tensor) -> float:
    """The median distance between places [m, P]; 1 where there is none."""
    if len(places) < 2:
        return 1.0
    middle = float(torch.pdist(places).median())
    return middle if middle > 1e-6 else 1.0
