"""Worlds in which a listener's true taste is known, to try learners in: who listens, to what, and what they answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models_store.aligner import world
from models_store.aligner.model import AlignerV2
from models_store.taste.base import reference_taste
from models_store.taste.memory import DISLIKE, LIKE, Memory

ROUND = 8
"""Songs in a playlist."""

SLIPS = 0.1
"""Share of the answers that are wrong in the worlds of strangers."""


@dataclass(frozen=True)
class Trial:
    """One listener of N songs.

    truth: float32 [N], what the listener thinks of each song: liked above 0. answers: int64 [N], 1 or -1, what is said
    of each, slips included; a song gets the same answer whenever it is asked about.
    played: songs that may be rated, in the order in which chance plays them. held_out: the others.
    """

    truth: Tensor
    answers: Tensor
    played: Tensor
    held_out: Tensor


@dataclass(frozen=True)
class TrialWorld:
    """Listeners of the same songs. name: of the world; embeddings: float32 [N, layers, dim]."""

    name: str
    aligner: AlignerV2
    embeddings: Tensor
    trials: tuple[Trial, ...]

    def memory(self, trial: Trial, rated: Tensor) -> Memory:
        """What is remembered of a listener who rated these songs, in this order, in playlists of ROUND."""
        rounds = torch.arange(len(rated)) // ROUND
        return Memory(self.embeddings[rated], trial.answers[rated], rounds)


def familiar(aligner: AlignerV2, songs: world.Songs, *, listeners: int, seed: int) -> TrialWorld:
    """World A: the listener is one of the reference users, whose score is the truth, and always says it."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(aligner.config.users, generator=generator)[:listeners].tolist()
    truths = [reference_taste(aligner, user).likeness(songs.embeddings)[0] for user in chosen]
    return _world("A", aligner, songs, truths, slips=0.0, generator=generator)


def strangers(aligner: AlignerV2, songs: world.Songs, *, listeners: int, seed: int) -> TrialWorld:
    """World B: the listener belongs to scenes that the aligner never saw, and a tenth of the answers are slips.

    The truth is what the listener thinks of the words and sounds of a song (`aligner.listeners`). A part of it nobody
    can hear: the best linear function of the encoder's features reaches a rank correlation of about 0.55.
    """
    generator = torch.Generator().manual_seed(seed)
    hidden = world.invent_listeners(songs, count=listeners, seed=10_000 + seed).utility
    return _world("B", aligner, songs, list(hidden), slips=SLIPS, generator=generator)


def directions(aligner: AlignerV2, songs: world.Songs, *, listeners: int, seed: int) -> TrialWorld:
    """World C: the truth is a direction of the common space at random, which no reference user need be near.

    All of it can be heard. 18 to 45 % of the songs are liked, and a tenth of the answers are slips.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        places = aligner.project_songs(songs.embeddings)  # [N, projection]
    truths = []
    for _ in range(listeners):
        score = places @ torch.randn(places.shape[1], generator=generator)  # [N]
        share = 0.18 + 0.27 * float(torch.rand((), generator=generator))
        truths.append((score - score.quantile(1.0 - share)) / score.std())
    return _world("C", aligner, songs, truths, slips=SLIPS, generator=generator)


WORLDS: dict[str, Callable[..., TrialWorld]] = {"A": familiar, "B": strangers, "C": directions}


def _world(
    name: str,
    aligner: AlignerV2,
    songs: world.Songs,
    truths: list[Tensor],
    *,
    slips: float,
    generator: torch.Generator,
) -> TrialWorld:
    """Half of the songs may be rated by a listener, half are held out: other halves for each."""
    trials = []
    for truth in truths:
        slipped = torch.rand(len(songs), generator=generator) < slips
        order = torch.randperm(len(songs), generator=generator)
        trials.append(
            Trial(
                truth=truth,
                answers=torch.where((truth > 0) ^ slipped, LIKE, DISLIKE),
                played=order[: len(songs) // 2],
                held_out=order[len(songs) // 2 :],
            )
        )
    return TrialWorld(name, aligner, songs.embeddings, tuple(trials))
