"""What training on listening histories minimises: InfoNCE over a song that was listened to and songs that were not."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding, normalize

from models_store.aligner.aggregations import CrossAttentionAggregation
from models_store.aligner.attention import Readable
from models_store.aligner.model import AlignerV2, Heard


def info_nce(cosines: Tensor, known: Tensor, temperature: Tensor) -> Tensor:
    """The mean cross-entropy of telling the song listened to from the others: [] (Oord et al. 2018, equation 4).

    cosines: [B, 1 + K], the song listened to first. known: bool [B, K], which of the others are there; a listener who
    has none teaches nothing.
    """
    logits = cosines / temperature  # [B, 1 + K]
    # Only now: the way back to the temperature would multiply an infinity by zero.
    others = logits[:, 1:].masked_fill(~known, float("-inf"))  # [B, K]
    return (torch.cat([logits[:, :1], others], dim=1).logsumexp(dim=1) - logits[:, 0]).mean()


def pair_cosines(heard: Heard, users: Tensor, chosen: Tensor) -> Tensor:
    """How much each user likes songs of their own: users [B, emb_size], indices into the songs [B, K] -> [B, K].

    `Heard.cosines` compares everybody with every song; where a song sounds different to each listener that is most of
    the work, and a batch needs a tenth of it. The sums are in float32 whatever came before.
    """
    projected = heard.aligner.project_users(users).float()[:, None]  # [B, 1, projection]
    if isinstance(heard.songs, Tensor):
        # Not songs[chosen]: its way back adds up one row after the other, a tenth of a step.
        songs = embedding(chosen, heard.songs.float())  # [B, K, projection]
    else:
        songs = _as_heard(heard.aligner, heard.songs, users, chosen).float()  # [B, K, projection]
    # Not a product of matrices, which would be in half precision where all others are.
    return (projected * songs).sum(dim=-1)


def _as_heard(aligner: AlignerV2, songs: Readable, users: Tensor, chosen: Tensor) -> Tensor:
    """Songs [B, K] in the common space, each with the ears of its own listener: [B, K, projection]."""
    aggregation = aligner.aggregation
    if not isinstance(aggregation, CrossAttentionAggregation):
        raise TypeError(f"pair_cosines: {aggregation} asks no listener")
    attention = aggregation.attention
    asked = attention.queries(aggregation.question(aligner.tower(users)))  # [B, dim]
    weights = torch.einsum("bd,bkld->bkl", asked / attention.dim**0.5, songs.keys[chosen]).softmax(dim=-1)
    told = torch.einsum("bkl,bkld->bkd", weights, songs.values[chosen])  # [B, K, dim]
    return normalize(aligner.projection(aggregation.norm(told + songs.mean[chosen])), dim=-1)
