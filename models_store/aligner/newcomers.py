"""Users who are not in an aligner's table: their embedding is learned from some of what they listened to."""

from __future__ import annotations

import torch
from torch import Tensor

from models_store import seeding
from models_store.aligner import objective
from models_store.aligner.batches import Plays
from models_store.aligner.histories import Histories
from models_store.aligner.measuring import SongSource
from models_store.aligner.method import Weights
from models_store.aligner.model import AlignerV2, Heard

_STEPS = 300
_LR = 0.05
_PRIOR = 0.01
"""Weight of the distance from the mean reference listener, in squared deviations of the table."""

_POOL = 1024
_POOL_AT_ONCE = 256
"""Songs to draw from what they are not known to have listened to: in all, and in one step."""

_SONGS_AT_ONCE = 512


def embed(
    aligner: AlignerV2,
    histories: Histories,
    songs: SongSource,
    rows: Tensor,
    *,
    known: int,
    negatives: int,
    weights: Weights,
    seed: int,
) -> Tensor:
    """The embeddings of all users of these histories, the aligner itself frozen: [users, emb_size].

    rows: int64 [songs], where each song of the histories is in `songs`. known: of how many songs each user is learned
    at most, drawn at random; the others may be taken for songs they did not listen to, as they would be in life.
    InfoNCE as in training, over as many pairs a step as there are users; Adam. Somebody of whom nothing is known stays
    the mean reference listener.
    """
    generator = seeding.generator(seeding.derive(seed, "newcomers"))
    table = aligner.reference_users()
    mean, spread = table.mean(dim=0), table.std(dim=0, correction=0).clamp_min(1e-3)
    users = mean.repeat(len(histories.users), 1).requires_grad_()
    told = _some(histories, known, generator)
    if not len(told):
        return users.detach()
    few, heard = _heard(aligner, histories, told, songs, rows, generator)
    plays = Plays(few, weights=weights)
    optimiser = torch.optim.Adam([users], lr=_LR)
    for step in range(_STEPS):
        for group in optimiser.param_groups:
            group["lr"] = _LR * (1 - step / _STEPS)
        batch = plays.draw(batch=len(histories.users), negatives=negatives, pool=_POOL_AT_ONCE, generator=generator)
        chosen = batch.songs[torch.cat([batch.liked[:, None], batch.others], dim=1)].to(users.device)  # [B, 1 + K]
        cosines = objective.pair_cosines(heard, users[batch.users], chosen)
        contrast = objective.info_nce(cosines, batch.known.to(users.device), aligner.temperature.detach())
        loss = contrast + _PRIOR * ((users - mean) / spread).square().mean()
        (users.grad,) = torch.autograd.grad(loss, [users])
        optimiser.step()
    return users.detach()


def _some(histories: Histories, known: int, generator: torch.Generator) -> Histories:
    """At most `known` songs of each user, drawn at random."""
    drawn = torch.rand(len(histories), generator=generator)
    order = torch.argsort(histories.user_index + drawn.double())
    place = torch.arange(len(histories)) - histories.starts[histories.user_index[order]]
    kept = order[place < known].sort().values
    return Histories(
        users=histories.users,
        songs=histories.songs,
        user_index=histories.user_index[kept],
        song_index=histories.song_index[kept],
        counts=histories.counts[kept],
        disliked=histories.disliked,
    )


@torch.no_grad()
def _heard(
    aligner: AlignerV2,
    histories: Histories,
    told: Histories,
    songs: SongSource,
    rows: Tensor,
    generator: torch.Generator,
) -> tuple[Histories, Heard]:
    """What they are known by and a pool of other songs, as histories of these songs only, and the songs heard."""
    pool = torch.randperm(len(histories.songs), generator=generator)[:_POOL]
    needed = torch.zeros(len(histories.songs), dtype=torch.bool)
    needed[pool] = True
    needed[told.song_index] = True
    needed[histories.disliked[:, 1]] = True
    few = told.keep_songs(needed)
    where = rows[needed]
    parts = [aligner.hear(songs.take(part).to(aligner.user_table.device)) for part in where.split(_SONGS_AT_ONCE)]
    return few, _joined(aligner, parts)


def _joined(aligner: AlignerV2, parts: list[Heard]) -> Heard:
    """Songs that were heard a few at a time, as one."""
    plain = [part.songs for part in parts if isinstance(part.songs, Tensor)]
    if plain:
        return Heard(aligner, torch.cat(plain))
    asked = [part.songs for part in parts if not isinstance(part.songs, Tensor)]
    return Heard(aligner, type(asked[0])(*(torch.cat(same) for same in zip(*asked, strict=True))))
