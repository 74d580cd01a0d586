"""Train an aligner on listening histories whose songs are on disk, and measure it on songs and users held out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from models_store import devices, seeding
from models_store.aligner import measuring, newcomers, objective, training
from models_store.aligner.aggregations import CrossAttentionAggregation
from models_store.aligner.ahead import ahead
from models_store.aligner.batches import Batch, Plays
from models_store.aligner.descent import Descent, Pace, Told
from models_store.aligner.lesson import Lesson
from models_store.aligner.measuring import Ranking, SongSource
from models_store.aligner.method import Method
from models_store.aligner.model import AlignerConfig, AlignerV2
from models_store.aligner.training_state import TrainingState

FEATURE_SAMPLE = 4096
"""Songs that the standardisation is taken from: a mean is then off by 1/64 of a deviation."""

VALIDATION_SONGS = 4000
"""Of the songs to stop by, so many are ranked after each epoch."""

CALIBRATION_SONGS, CALIBRATION_SONGS_ASKED = 1000, 100
"""Of the songs to stop by, so many set the sign of the cosine; fewer where each listener has ears of their own."""


@dataclass(frozen=True)
class Trained:
    """An aligner in evaluation mode, what it knows of songs held out, and what it took.

    users: ids of the reference listeners, in the table's order. known: measured for these. new: for users who are not
    in the table; None if none are held out.
    """

    aligner: AlignerV2
    users: tuple[str, ...]
    known: Ranking
    new: Ranking | None
    epochs: int
    seconds: float


def train(
    lesson: Lesson,
    wiring: Callable[[int], AlignerConfig],
    method: Method,
    *,
    seed: int,
    device: torch.device | None = None,
    state_file: Path | None = None,
    resume: bool = False,
    told: Told | None = None,
    progress: bool = False,
) -> Trained:
    """Train on what users listened to, with songs read as they are needed.

    wiring: the config for so many users. state_file: where the training is kept after each epoch, and stays. resume: go
    on with what is there, to the same weights, bit for bit, as if it had not been interrupted; if there is nothing,
    begin. told: hears of every epoch. device: None: the CPU.
    Raises ValueError for histories that cannot be trained on and for the state of another training, and
    descent.DivergedError when the loss is no number any more.
    """
    began = time.perf_counter()
    lesson.check()
    users = lesson.users
    taught, rows = lesson.taught(users)
    config = wiring(len(users))
    speed = pace(method, songs=len(rows))
    state = TrainingState(state_file, repr((lesson.fingerprint(), config, _deciding(method), speed.steps, seed)))
    aligner = AlignerV2(config, seed=seed).to(device or torch.device("cpu"))
    descent = Descent(aligner, speed)
    if not state.take_up(descent, resume=resume):
        aligner.fit_features(lesson.source.take(_some(rows, FEATURE_SAMPLE, seed, "features")))
    lessons = Lessons(Plays(taught, weights=method.weights), lesson.source, rows, method, steps=speed.steps, seed=seed)
    auc = _validation(lesson, users, seed)
    descent.run(lessons, auc, told=told, keep=lambda: state.keep(descent), progress=progress)
    if method.liked:
        _calibrate(aligner, lesson, method.liked, seed)
    aligner.requires_grad_(False)
    known, new = measure_known(aligner, lesson), measure_newcomers(aligner, lesson, method, seed=seed)
    names = tuple(lesson.histories.users[user] for user in users.tolist())
    return Trained(aligner.cpu(), names, known, new, len(descent.aucs), time.perf_counter() - began)


def measure_known(
    aligner: AlignerV2, lesson: Lesson, *, users: Tensor | None = None, places: Tensor | None = None
) -> Ranking:
    """What an aligner knows of the songs to test on, for reference listeners.

    users, places: int64 [M], users of the histories and their rows of the table; None: the lesson's `users`, in order.
    Raises ValueError for rows that the table has not.
    """
    users = lesson.users if users is None else users
    places = torch.arange(len(users)) if places is None else places
    songs, table = lesson.held_out.songs.test, aligner.reference_users()
    if len(places) != len(users) or (len(places) and int(places.max()) >= len(table)):
        raise ValueError(f"measure: expected {len(users)} rows of the user table, it has {len(table)}")
    scores = measuring.scores(aligner, table[places.to(table.device)], lesson.source, lesson.rows[songs])
    return measuring.ranking(scores, lesson.histories, users=users, songs=songs)


def measure_newcomers(aligner: AlignerV2, lesson: Lesson, method: Method, *, seed: int) -> Ranking | None:
    """The same for users held out, whom the table does not have.

    Their embeddings are learned from some of what they listened to among the songs to train on, the aligner frozen.
    None if there are none of whom something is known and something is to be found.
    """
    songs, new = lesson.held_out.songs.test, lesson.newcomers
    if not bool(measuring.listened(lesson.histories, users=new, songs=songs).any()):
        return None
    told, rows = lesson.taught(new)
    embedded = newcomers.embed(
        aligner,
        told,
        lesson.source,
        rows,
        known=method.known,
        negatives=method.negatives,
        weights=method.weights,
        seed=seed,
    )
    scores = measuring.scores(aligner, embedded, lesson.source, lesson.rows[songs])
    return measuring.ranking(scores, lesson.histories, users=new, songs=songs)


class Lessons:
    """The losses of an epoch's batches. An epoch's draws depend on the seed and its number alone."""

    def __init__(
        self, plays: Plays, source: SongSource, rows: Tensor, method: Method, *, steps: int, seed: int
    ) -> None:
        self.plays = plays
        self.source = source
        self.rows = rows
        self.method = method
        self.steps = steps
        self.seed = seed

    def losses(self, aligner: AlignerV2, *, epoch: int) -> Iterator[Tensor]:
        """See `descent.Lessons.losses`."""
        device = aligner.user_table.device
        noise = seeding.generator(seeding.derive(self.seed, "noise", epoch), device)
        with closing(ahead(self.read(epoch=epoch), depth=self.method.ahead)) as batches:
            for batch, features in batches:
                yield self.loss(aligner, batch, features.to(device), noise)

    def read(self, *, epoch: int) -> Iterator[tuple[Batch, Tensor]]:
        """The batches of an epoch, and their songs [S, layers, dim] as the source has them."""
        generator = seeding.generator(seeding.derive(self.seed, "batches", epoch))
        how = self.method
        for _ in range(self.steps):
            batch = self.plays.draw(batch=how.batch, negatives=how.negatives, pool=how.pool, generator=generator)
            yield batch, self.source.take(self.rows[batch.songs])

    def loss(self, aligner: AlignerV2, batch: Batch, features: Tensor, noise: torch.Generator) -> Tensor:
        """InfoNCE over a batch and its songs [S, layers, dim]."""
        device = features.device
        if self.method.noise:
            drawn = torch.randn(features.shape, generator=noise, device=device)
            features = drawn.mul_(aligner.feature_scale * self.method.noise).add_(features)
        chosen = torch.cat([batch.liked[:, None], batch.others], dim=1).to(device)  # [B, 1 + K]
        with torch.autocast(device.type, torch.bfloat16, enabled=in_half(self.method, device)):
            heard = aligner.hear(features)
            cosines = objective.pair_cosines(heard, aligner.user_table[batch.users.to(device)], chosen)
        return objective.info_nce(cosines, batch.known.to(device), aligner.temperature)


def in_half(method: Method, device: torch.device) -> bool:
    """Whether matrices are multiplied in bfloat16 there."""
    if method.precision == "auto":
        return device.type == "cuda" and devices.number_type(device) is torch.bfloat16
    return method.precision == "bfloat16"


def pace(method: Method, *, songs: int) -> Pace:
    """How to descend with so many songs to train on."""
    return Pace(
        steps=method.steps or max(1, round(songs / method.batch)),
        epochs=method.epochs,
        patience=method.patience,
        lr=method.lr,
        weight_decay=method.weight_decay,
        table_decay=method.table_decay,
        fused=True,
    )


def _deciding(method: Method) -> dict[str, object]:
    """What of a method decides the weights after a given epoch: not how many there may be, nor who reads ahead."""
    return {name: value for name, value in asdict(method).items() if name not in ("epochs", "ahead", "liked", "known")}


def _validation(lesson: Lesson, users: Tensor, seed: int) -> Callable[[AlignerV2], float]:
    """The mean AUC of the reference listeners on songs to stop by."""
    songs = _some(lesson.held_out.songs.validation, VALIDATION_SONGS, seed, "validation")

    def auc(aligner: AlignerV2) -> float:
        table = measuring.scores(aligner, aligner.reference_users(), lesson.source, lesson.rows[songs])
        return measuring.ranking(table, lesson.histories, users=users, songs=songs).auc

    return auc


def _calibrate(aligner: AlignerV2, lesson: Lesson, share: float, seed: int) -> None:
    """Make each reference listener's cosine positive for this share of the songs to stop by."""
    asked = isinstance(aligner.aggregation, CrossAttentionAggregation)
    count = CALIBRATION_SONGS_ASKED if asked else CALIBRATION_SONGS
    songs = lesson.source.take(lesson.rows[_some(lesson.held_out.songs.validation, count, seed, "calibration")])
    shares = torch.full((aligner.config.users,), share, device=aligner.user_table.device)
    training.calibrate(aligner, songs.to(shares.device), shares)


def _some(indices: Tensor, count: int, seed: int, purpose: str) -> Tensor:
    """At most `count` of the indices, drawn at random, rising."""
    generator = seeding.generator(seeding.derive(seed, purpose))
    return indices[torch.randperm(len(indices), generator=generator)[:count]].sort().values
