"""How well an aligner ranks songs that it was not trained on: per listener, and how that spreads over listeners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from models_store.aligner.histories import Histories
from models_store.aligner.model import AlignerV2

TOP = 20
"""Songs of which it is asked how many were listened to: a playlist."""

_SONGS_AT_ONCE = 512
_USERS_AT_ONCE = 32
"""With 88,543 songs, 3 million numbers are sorted at once."""


class SongSource(Protocol):
    """Songs' embeddings by their rows: a `SongStore`, or anything that is asked like one."""

    def take(self, indices: Tensor) -> Tensor:
        """float32 [n, layers, dim], of rows int64 [n]."""


@dataclass(frozen=True)
class Ranking:
    """What an aligner knows of songs held out, by how it ranks them for each listener; each a mean over the listeners.

    listeners: who heard some of the songs and not all. songs: that were ranked. heard: share of them that a listener
    listened to: what the PR AUC of a random order would be.
    auc: ROC AUC. pr_auc: area under precision and recall (average precision). recall: of the TOP songs, how many were
    listened to, out of as many as could be (Liang et al. 2018, Variational autoencoders for collaborative
    filtering, section 4.2). liked: share of the songs with a positive cosine. low, high: 10th and 90th percentile.
    """

    listeners: int
    songs: int
    heard: float
    auc: float
    auc_low: float
    auc_high: float
    pr_auc: float
    pr_auc_low: float
    pr_auc_high: float
    recall: float
    recall_low: float
    recall_high: float
    liked: float
    liked_low: float
    liked_high: float


class MemorySongs:
    """Songs [N, layers, dim] that are in memory, asked like a store."""

    def __init__(self, embeddings: Tensor) -> None:
        self.embeddings = embeddings

    def take(self, indices: Tensor) -> Tensor:
        """See `SongSource.take`."""
        return self.embeddings[indices].float()


@torch.no_grad()
def scores(aligner: AlignerV2, users: Tensor, songs: SongSource, rows: Tensor) -> Tensor:
    """Cosines of user embeddings [M, emb_size] and the songs at these rows [N]: float32 [M, N], on the CPU.

    967 users and 88,543 songs are 342 MB; songs are read and heard a few at a time.
    """
    device = aligner.user_table.device
    users = users.to(device)
    projected = aligner.project_users(users)  # [M, projection]
    table = torch.empty(len(users), len(rows))
    for start in range(0, len(rows), _SONGS_AT_ONCE):
        part = slice(start, start + _SONGS_AT_ONCE)
        heard = aligner.hear(songs.take(rows[part]).to(device))
        same = isinstance(heard.songs, Tensor)
        table[:, part] = projected @ heard.songs.T if same else heard.cosines(users)  # type: ignore[union-attr]
    return table


def ranking(table: Tensor, histories: Histories, *, users: Tensor, songs: Tensor) -> Ranking:
    """The figures of scores [M, N] of these users int64 [M] and songs int64 [N] of the histories.

    Raises ValueError if no user heard some of the songs and not all.
    """
    rows = []
    for part in torch.arange(len(users)).split(_USERS_AT_ONCE):
        likes = listened(histories, users=users[part], songs=songs)
        figures = torch.stack(rank_figures(table[part], likes), dim=1)  # [m, 3]
        liked = (table[part] > 0).float().mean(dim=1, keepdim=True)
        rows.append(torch.cat([figures, liked, likes.float().mean(dim=1, keepdim=True)], dim=1))
    known = torch.cat(rows)  # [M, 5]
    known = known[known[:, 0].isfinite()]
    if not len(known):
        raise ValueError(
            f"measuring: expected somebody who listened to some of {len(songs)} songs held out, got nobody"
        )
    low, high = (known.quantile(part, dim=0) for part in (0.1, 0.9))
    names = ("auc", "pr_auc", "recall", "liked")
    spread = {}
    for column, name in enumerate(names):
        spread[name] = float(known[:, column].mean())
        spread[f"{name}_low"], spread[f"{name}_high"] = float(low[column]), float(high[column])
    return Ranking(listeners=len(known), songs=len(songs), heard=float(known[:, 4].mean()), **spread)


def rank_figures(table: Tensor, likes: Tensor, *, top: int = TOP) -> tuple[Tensor, Tensor, Tensor]:
    """ROC AUC, average precision and recall at `top` of each row of scores [M, N] against likes (bool): [M] each.

    Songs of the same score count as one step of the curve, as scikit-learn has it. NaN for a row with likes only
    or none.
    """
    ordered, order = table.sort(dim=1, descending=True)
    hits = likes.gather(1, order).double()
    found = torch.nn.functional.pad(hits.cumsum(dim=1), (1, 0))  # [M, N + 1], among the first n
    falling = -ordered
    above = torch.searchsorted(falling, falling)  # [M, N], songs that score higher
    upto = torch.searchsorted(falling, falling, right=True)  # and those that score as high as well
    found_above, found_upto = found.gather(1, above), found.gather(1, upto)
    positive = likes.sum(dim=1).double()
    negative = likes.shape[1] - positive
    below = (likes.shape[1] - upto) - (positive[:, None] - found_upto)  # songs not liked that score lower
    tied = (upto - above) - (found_upto - found_above)
    undefined = torch.where((positive > 0) & (negative > 0), 0.0, torch.nan)
    auc = (hits * (below + tied / 2)).sum(dim=1) / (positive * negative).clamp_min(1) + undefined
    precision = (hits * found_upto / upto).sum(dim=1) / positive.clamp_min(1) + undefined
    recall = hits[:, :top].sum(dim=1) / positive.clamp(1, top) + undefined
    return auc.float(), precision.float(), recall.float()


def listened(histories: Histories, *, users: Tensor, songs: Tensor) -> Tensor:
    """Which of these users int64 [M] listened to which of these songs int64 [N]: bool [M, N]."""
    place = torch.full((len(histories.songs),), -1)
    place[songs] = torch.arange(len(songs))
    table = torch.zeros(len(users), len(songs), dtype=torch.bool)
    for row, user in enumerate(users.tolist()):
        at = place[histories.of_user(user)[0]]
        table[row, at[at >= 0]] = True
    return table
