"""Train an aligner on a synthetic world, whose songs are in memory, and measure it on songs it was not trained on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from models_store.aligner.descent import Descent, Pace, Told
from models_store.aligner.model import AlignerConfig, AlignerV2
from models_store.aligner.world import Listeners

TYPICAL_SHARE = (0.20, 0.45)
_HEARD = 512


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    batch: pairs of a listener and a song listened to, per step; as many songs again are drawn uniformly.
    steps: per epoch. epochs: at most. patience: epochs without a better validation AUC before the end; the rate
    falls to a third after half as many. weight_decay: of everything but the table and the temperature.
    table_decay: of the user table: keeps its embeddings one cloud around zero.
    calibration: weight of the penalty on liking another share of the songs than the listener does.
    softness: of the sign of a cosine in that penalty. noise: deviation of what is added to the standardised
    features in training, so that few songs are not learned by heart.
    """

    batch: int = 256
    steps: int = 40
    epochs: int = 45
    patience: int = 6
    lr: float = 1e-3
    weight_decay: float = 0.3
    table_decay: float = 0.2
    calibration: float = 10.0
    softness: float = 0.1
    noise: float = 1.5

    def pace(self) -> Pace:
        """How to descend."""
        return Pace(self.steps, self.epochs, self.patience, self.lr, self.weight_decay, self.table_decay)


@dataclass(frozen=True)
class Split:
    """Indices of the songs to train on, to stop by and to test on."""

    train: Tensor
    validation: Tensor
    test: Tensor


@dataclass(frozen=True)
class Figures:
    """What an aligner knows of songs that it was not trained on.

    auc: mean over the listeners of the ROC AUC of the cosine against their likes; auc_low and auc_high: 10th and
    90th percentile. liked: the same three of the share of these songs that the reference listener's own score
    calls positive. typical: share of the listeners for whom that is within TYPICAL_SHARE.
    """

    songs: int
    listeners: int
    auc: float
    auc_low: float
    auc_high: float
    liked: float
    liked_low: float
    liked_high: float
    typical: float


@dataclass(frozen=True)
class Trained:
    """An aligner in evaluation mode, its figures on the test songs, and what it took."""

    aligner: AlignerV2
    figures: Figures
    epochs: int
    seconds: float


def split(count: int, *, seed: int) -> Split:
    """70 % of `count` songs to train on, 10 % to stop by, 20 % to test on."""
    if count < 20:
        raise ValueError(f"training.split: expected at least 20 songs, got {count}")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    first, second = round(0.7 * count), round(0.8 * count)
    return Split(order[:first], order[first:second], order[second:])


def train(
    embeddings: Tensor,
    listeners: Listeners,
    config: AlignerConfig,
    how: TrainingConfig,
    *,
    seed: int,
    told: Told | None = None,
    progress: bool = False,
) -> Trained:
    """Train on songs [N, layers, dim] and who listened to them.

    InfoNCE as in CLIP (Radford et al. 2021, section 2.3) from the listener's side, with the batch's songs that a
    listener does not like as negatives, plus a calibration: the share of songs with a positive cosine
    shall be the share that the listener likes. AdamW, decay on plateau, early stopping on the AUC of the validation
    songs; the best epoch is kept. told: hears of every epoch.
    Raises ValueError if songs, listeners and config do not fit together.
    """
    if listeners.likes.shape != (config.users, len(embeddings)):
        raise ValueError(
            f"train: expected likes of shape {(config.users, len(embeddings))}, got {tuple(listeners.likes.shape)}"
        )
    began = time.perf_counter()
    parts = split(len(embeddings), seed=seed)
    aligner = AlignerV2(config, seed=seed)
    aligner.fit_features(embeddings[parts.train])
    batches = _Batches(embeddings, listeners, parts.train, how, seed)
    held_out, held_likes = embeddings[parts.validation], listeners.likes[:, parts.validation]
    descent = Descent(aligner, how.pace())
    descent.run(
        batches, lambda now: float(user_aucs(_scores(now, held_out), held_likes).mean()), told=told, progress=progress
    )
    calibrate(aligner, held_out, batches.share)
    aligner.eval().requires_grad_(False)
    figures = measure(aligner, embeddings[parts.test], listeners.likes[:, parts.test])
    return Trained(aligner, figures, len(descent.aucs), time.perf_counter() - began)


def calibrate(aligner: AlignerV2, embeddings: Tensor, share: Tensor, *, steps: int = 200) -> None:
    """Move the user table, and nothing else, until the cosine's sign means what it says.

    On songs [N, layers, dim] that were not trained on, each reference listener's cosine shall be positive for its
    `share` [users] of them: on the training songs themselves liked songs score higher than new ones
    will. Embeddings are held back from moving further than that takes.
    """
    with torch.no_grad():
        songs = aligner.hear(embeddings)
        trained = aligner.user_table.clone()
    table = trained.clone().requires_grad_()
    optimiser = torch.optim.Adam([table], lr=0.01)
    for _ in range(steps):
        cosine = songs.cosines(table)  # [users, N]
        liked = (cosine / 0.03).sigmoid().mean(dim=1)
        loss = (liked - share).square().sum() + 0.003 * (table - trained).square().sum()
        (table.grad,) = torch.autograd.grad(loss, [table])
        optimiser.step()
    with torch.no_grad():
        aligner.user_table.copy_(table)


def measure(aligner: AlignerV2, embeddings: Tensor, likes: Tensor) -> Figures:
    """The figures of an aligner on songs [N, layers, dim] and likes (bool) [users, N]."""
    scores = _scores(aligner, embeddings)
    aucs = user_aucs(scores, likes)
    liked = (scores > 0).float().mean(dim=1)
    low, high = TYPICAL_SHARE
    auc_low, auc_high = (float(aucs.quantile(part)) for part in (0.1, 0.9))
    liked_low, liked_high = (float(liked.quantile(part)) for part in (0.1, 0.9))
    return Figures(
        songs=scores.shape[1],
        listeners=scores.shape[0],
        auc=float(aucs.mean()),
        auc_low=auc_low,
        auc_high=auc_high,
        liked=float(liked.mean()),
        liked_low=liked_low,
        liked_high=liked_high,
        typical=float(((liked >= low) & (liked <= high)).float().mean()),
    )


def user_aucs(scores: Tensor, likes: Tensor) -> Tensor:
    """ROC AUC of each row of scores [M, N] against likes (bool) [M, N]; only of rows that have both kinds: [<= M].

    The share of pairs of a liked and another song that are in the right order (Mann and Whitney 1947); no
    two scores are expected to be equal.
    """
    ranks = scores.argsort(dim=1).argsort(dim=1).double() + 1.0
    positive = likes.sum(dim=1).double()
    negative = likes.shape[1] - positive
    both = (positive > 0) & (negative > 0)
    wins = (ranks * likes).sum(dim=1) - positive * (positive + 1) / 2
    return (wins[both] / (positive * negative)[both]).float()


@torch.no_grad()
def _scores(aligner: AlignerV2, embeddings: Tensor) -> Tensor:
    """Cosines [users, N] of all reference listeners and songs [N, layers, dim]."""
    return aligner.cosines(aligner.reference_users(), embeddings)


class _Batches:
    """Draws batches and says how wrong an aligner is on them."""

    def __init__(
        self, embeddings: Tensor, listeners: Listeners, train_songs: Tensor, how: TrainingConfig, seed: int
    ) -> None:
        self.embeddings = embeddings[train_songs]
        self.likes = listeners.likes[:, train_songs]
        self.share = self.likes.float().mean(dim=1)
        self.how = how
        self.generator = torch.Generator().manual_seed(seed)
        counts = listeners.counts[:, train_songs]
        self.listening = (counts.sum(dim=1) > 0).nonzero().flatten()
        # Drawn once, for a draw per step costs as much as the step.
        self.heard = torch.multinomial(counts[self.listening], _HEARD, replacement=True, generator=self.generator)

    def losses(self, aligner: AlignerV2, *, epoch: int) -> Iterator[Tensor]:  # noqa: ARG002 - all epochs are alike
        """See `descent.Lessons.losses`."""
        for _ in range(self.how.steps):
            yield self.loss(aligner)

    def loss(self, aligner: AlignerV2) -> Tensor:
        """InfoNCE plus calibration on a new batch."""
        size, generator = self.how.batch, self.generator
        who = torch.randint(len(self.listening), (size,), generator=generator)
        users = self.listening[who]
        heard = self.heard[who, torch.randint(_HEARD, (size,), generator=generator)]  # [batch]
        drawn = torch.randint(len(self.embeddings), (size,), generator=generator)
        chosen = torch.cat([heard, drawn])  # [2 * batch]
        songs = self.embeddings[chosen]
        songs = songs + self.how.noise * aligner.feature_scale * torch.randn(songs.shape, generator=generator)
        cosine = aligner.cosines(aligner.user_table[users], songs)
        logits = cosine / aligner.temperature  # [batch, 2 * batch]
        likes = self.likes[users][:, chosen]
        negative = logits.masked_fill(likes, float("-inf")).logsumexp(dim=1, keepdim=True)  # [batch, 1]
        each = (torch.logaddexp(logits, negative) - logits) * likes
        contrast = (each.sum(dim=1) / likes.sum(dim=1)).mean()
        liked = (cosine[:, size:] / self.how.softness).sigmoid().mean(dim=1)
        return contrast + self.how.calibration * (liked - self.share[users]).square().mean()
