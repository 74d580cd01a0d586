"""Batches for training on listening histories: who, a song they listened to, and songs they did not."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models_store.aligner.histories import Histories
from models_store.aligner.method import Weights


@dataclass(frozen=True)
class Batch:
    """B pairs of a user and a song listened to, with K songs each that were not, out of S songs.

    users: int64 [B]. songs: int64 [S], rising. liked: int64 [B], others: int64 [B, K], places in `songs`.
    known: bool [B, K], whether there is such a song: somebody may have heard nearly all.
    """

    users: Tensor
    songs: Tensor
    liked: Tensor
    others: Tensor
    known: Tensor


class Plays:
    """Histories, ready to be drawn from: everything a batch takes is found by bisection, nothing is users x songs."""

    def __init__(self, histories: Histories, *, weights: Weights = "log") -> None:
        """Raises ValueError for histories in which nobody listened to anything."""
        if not len(histories):
            raise ValueError("training: expected histories in which somebody listened to something, got none")
        self.songs = len(histories.songs)
        self._starts = histories.starts
        self._song = histories.song_index
        self._listening = (histories.songs_per_user > 0).nonzero().flatten()
        weight = {
            "equal": torch.ones_like(histories.counts),
            "log": histories.counts.log1p(),
            "counts": histories.counts,
        }[weights]
        self._passed = torch.cat([torch.zeros(1, dtype=torch.float64), weight.double().cumsum(0)])  # [P + 1]
        self._heard = histories.user_index * self.songs + histories.song_index  # [P], rising
        self._disliked = histories.disliked[:, 0] * self.songs + histories.disliked[:, 1]  # [D], rising
        self._dislikes = torch.bincount(histories.disliked[:, 0], minlength=len(histories.users))
        self._first_dislike = self._dislikes.cumsum(0) - self._dislikes

    def draw(self, *, batch: int, negatives: int, pool: int, generator: torch.Generator) -> Batch:
        """A batch: users alike, of each a song by its weight, and `negatives` songs that they never listened to.

        Songs not listened to come from `pool` songs drawn for the whole batch, of which each pair draws its own: each
        is as likely as any, and a batch has batch + pool songs to read and to hear instead of batch * negatives. What
        a user is known to dislike comes first, and one such song is drawn for each pair that has any.
        """
        users = self._listening[torch.randint(len(self._listening), (batch,), generator=generator)]
        liked = self._song[self._row_of(users, generator)]  # [B]
        common = torch.randint(self.songs, (pool,), generator=generator).unique()  # [Q]
        disliked = self._one_disliked(users, generator)  # [B], -1: none
        candidates = torch.cat([common.expand(batch, -1), disliked[:, None]], dim=1)  # [B, Q + 1]
        urgency = self._urgency(users, candidates, generator)
        urgency[:, -1] = torch.where(disliked < 0, -1.0, 2.0)
        # The one drawn for a pair may be among the common ones, too.
        urgency[:, :-1].masked_fill_(common == disliked[:, None], -1.0)
        best = urgency.topk(min(negatives, urgency.shape[1]), dim=1)
        known = best.values >= 0
        others = torch.where(known, candidates.gather(1, best.indices), liked[:, None])  # [B, K]
        songs, place = torch.cat([liked[:, None], others], dim=1).unique(return_inverse=True)  # [S], [B, 1 + K]
        return Batch(users, songs, place[:, 0], place[:, 1:], known)

    def _row_of(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """A row of each user's, by its weight: [B]."""
        low, high = self._starts[users], self._starts[users + 1]
        share = torch.rand(len(users), dtype=torch.float64, generator=generator)
        at = self._passed[low] + share * (self._passed[high] - self._passed[low])
        rows = torch.searchsorted(self._passed, at, right=True) - 1
        return torch.minimum(torch.maximum(rows, low), high - 1)

    def _one_disliked(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """A song that each user is known to dislike, -1 where there is none: [B]."""
        if not len(self._disliked):
            return torch.full_like(users, -1)
        count = self._dislikes[users]
        place = (torch.rand(len(users), generator=generator) * count).long().clamp_max_(len(self._disliked) - 1)
        row = (self._first_dislike[users] + place).clamp_max_(len(self._disliked) - 1)
        return torch.where(count > 0, self._disliked[row] % self.songs, -1)

    def _urgency(self, users: Tensor, songs: Tensor, generator: torch.Generator) -> Tensor:
        """By what negatives are chosen: random in [0, 1), 1 more for what is disliked, -1 for what was heard."""
        keys = users[:, None] * self.songs + songs  # [B, Q + 1]
        urgency = torch.rand(keys.shape, generator=generator)
        if len(self._disliked):
            urgency += _within(self._disliked, keys)
        return urgency.masked_fill_(_within(self._heard, keys), -1.0)


def _within(rising: Tensor, wanted: Tensor) -> Tensor:
    """Which of the wanted numbers are among the rising ones: bool, as `wanted`."""
    place = torch.searchsorted(rising, wanted).clamp_max_(len(rising) - 1)
    return rising[place] == wanted
