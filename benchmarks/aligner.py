"""Training the aligner in its true size: 967 users, 88,543 songs of 13 x 768 on disk. What they hold is random."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.machine import Machine, Part
from evomusic_site.environment import ROOT
from models_store.aligner import held_out, history_training, measuring, objective
from models_store.aligner.batches import Plays
from models_store.aligner.descent import Descent
from models_store.aligner.histories import Histories
from models_store.aligner.history_recipe import Wiring
from models_store.aligner.lesson import Lesson
from models_store.aligner.method import Method
from models_store.aligner.model import AlignerConfig, AlignerV2
from models_store.aligner.song_store import SongStore

COMMAND = "python -m benchmarks.aligner"
USERS, SONGS, LAYERS, DIM = 967, 88_543, 13, 768
SECONDS = 12.0
"""Of training, for each way that is measured; the first argument of the command gives another number."""

GOAL_MEMORY = 2.5
"""GB of its own while training: the songs alone are 3.5 GB in single precision."""

GOAL_OVER_FLOOR = 2.0
PLAIN_BATCH = 32
"""Of the plain way, whose batch of 256 hears 5,376 songs at once."""


def measure(seconds: float = SECONDS) -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command."""
    with _store() as store:
        before = _own_memory()
        lesson = _lesson(store)
        trained, rows = _training(lesson, seconds, before)
        return [*rows, *_reading(lesson), *_plain(trained, lesson, seconds / 2), *_measuring(trained, lesson)]


@contextmanager
def _store() -> Iterator[SongStore]:
    """Random features: 1.77 GB of a temporary folder."""
    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "var", prefix="benchmark-aligner-") as folder:
        draw = np.random.Generator(np.random.SFC64(0))
        with SongStore.writer(Path(folder, "store"), layers=LAYERS, dim=DIM, encoder="mert") as writer:
            for start in range(0, SONGS, 2048):
                names = [f"song {song}" for song in range(start, min(start + 2048, SONGS))]
                writer.add(names, torch.from_numpy(draw.standard_normal((len(names), LAYERS, DIM), dtype=np.float32)))
            writer.finish()
        yield SongStore.open(Path(folder, "store"))


def _lesson(store: SongStore) -> Lesson:
    """Invented listening: songs by a power law, 1,600 of them for the median user, most of them a few times."""
    generator = torch.Generator().manual_seed(0)
    popular = torch.arange(10, SONGS + 10).double().pow(-0.8)
    many = (7.4 + torch.randn(USERS, generator=generator)).exp().clamp(20, 30_000).long().tolist()
    heard = [torch.multinomial(popular, count, generator=generator) for count in many]
    songs = torch.cat(heard)
    users = torch.repeat_interleave(torch.arange(USERS), torch.tensor(many))
    counts = 1 + torch.empty(len(songs)).exponential_(0.25, generator=generator).floor()
    histories = Histories.of([f"user {user}" for user in range(USERS)], store.ids, users, songs, counts)
    return Lesson(histories, store, torch.arange(SONGS), held_out.split(histories, users=(0.0, 0.0), seed=0))


def _training(lesson: Lesson, seconds: float, before: float) -> tuple[AlignerV2, list[dict[str, Any]]]:
    """Steps as train_aligner makes them, in single precision and in bfloat16, against what they must cost."""
    taught, where = lesson.taught(lesson.users)
    plays = Plays(taught)
    aligner = _aligner(lesson, where)
    rows, most = [], _own_memory()
    for precision in ("float32", "bfloat16"):
        method = Method(precision=precision, steps=10_000)  # type: ignore[arg-type]
        lessons = history_training.Lessons(plays, lesson.source, where, method, steps=10_000, seed=0)
        step, least, heard, memory = _steps(aligner, lessons, seconds)
        most = max(most, memory)
        what = f"train_aligner, 967 users, 88,543 songs, batch 256, {precision}"
        rows += [
            _row(f"{what}: pairs", 256 / step, "pairs/s"),
            _row(f"{what}: songs heard", heard / step, "songs/s"),
            _row(f"{what}: an epoch of {len(where) // 256} steps", step * (len(where) // 256), "s"),
            _row(f"{what}: {len(taught)} pairs once", step * len(taught) / 256 / 60, "min"),
        ]
        if precision == "float32":
            times = least / _floor(aligner, heard)
            rows.append(_row(f"{what}: the quickest step over its floor", times, "times", GOAL_OVER_FLOOR))
    grown = (most - before) / 1e9
    return aligner, [*rows, _row("train_aligner: memory of its own while training", grown, "GB", GOAL_MEMORY)]


def _aligner(lesson: Lesson, where: Tensor) -> AlignerV2:
    sizes = Wiring()
    config = AlignerConfig(
        users=len(lesson.users),
        layers=LAYERS,
        dim=DIM,
        emb_size=sizes.emb_size,
        projection=sizes.projection,
        hidden=sizes.hidden,
    )
    aligner = AlignerV2(config, seed=0)
    aligner.fit_features(lesson.source.take(where[:: len(where) // history_training.FEATURE_SAMPLE]))
    return aligner


def _steps(aligner: AlignerV2, lessons: history_training.Lessons, seconds: float) -> tuple[float, float, float, float]:
    """The median and the quickest step in seconds, the songs heard in one, and the most memory of its own (bytes)."""
    descent = Descent(aligner, history_training.pace(lessons.method, songs=len(lessons.rows)))
    aligner.train()
    times, most, ends = [], 0.0, time.perf_counter() + seconds
    losses = lessons.losses(aligner, epoch=1)
    last = time.perf_counter()
    for loss in losses:
        descent.step(loss)
        most = max(most, _own_memory())
        now = time.perf_counter()
        times.append(now - last)
        if now > ends:
            break
        last = now
    losses.close()  # type: ignore[attr-defined]
    heard = next(iter(lessons.read(epoch=1)))[1].shape[0]
    times = times[min(2, len(times) - 1) :]
    return median(times), min(times), heard, most


def _floor(aligner: AlignerV2, songs: float) -> float:
    """Seconds that a step must take: products at this machine's rate, and the optimiser's reading and writing.

    No product leads back to the features: they are given.
    """
    machine = _machine(int(songs))
    parameters = sum(parameter.numel() for parameter in aligner.parameters())
    gates = 2 * LAYERS * DIM * DIM  # multiply-adds for a song
    tower = sum(part.numel() for part in aligner.tower.parameters())  # and for a user
    there_and_back = songs * (2 * gates + 3 * DIM * aligner.config.projection) + 256 * 3 * tower
    return machine.floor(
        [
            Part("songs", songs * LAYERS * DIM * (2 + 4), 0.0),
            Part("products", 0.0, 2 * there_and_back),
            Part("AdamW", parameters * 4 * 7, 0.0),  # weight, gradient and two moments read; all but one written
        ]
    )


def _machine(songs: int) -> Machine:
    """What this machine does with products of just this shape, and how fast it copies."""
    features, weights = torch.ones(LAYERS, songs, DIM), torch.ones(LAYERS, DIM, DIM)
    product = min(_timed(lambda: features @ weights) for _ in range(20))
    large = torch.ones(64_000_000)
    other = torch.empty_like(large)
    copied = min(_timed(lambda: other.copy_(large)) for _ in range(10))
    return Machine(bandwidth=2 * 4 * len(large) / copied, rate=2 * LAYERS * songs * DIM * DIM / product)


def _reading(lesson: Lesson) -> list[dict[str, Any]]:
    """What a batch costs before it is learned from."""
    taught, where = lesson.taught(lesson.users)
    plays, generator = Plays(taught), torch.Generator().manual_seed(0)
    batches = [plays.draw(batch=256, negatives=20, pool=256, generator=generator) for _ in range(20)]
    drawing = median(
        _timed(lambda: plays.draw(batch=256, negatives=20, pool=256, generator=generator)) for _ in range(20)
    )
    taking = median(_timed(lambda batch=batch: lesson.source.take(where[batch.songs])) for batch in batches)
    return [
        _row("a batch of 256 pairs with 20 negatives: drawn", drawing * 1000, "ms"),
        _row(f"a batch of {len(batches[0].songs)} songs (10 MB): read from the store", taking * 1000, "ms"),
    ]


class _Pairs(Dataset[tuple[int, Tensor]]):
    """The plain way: an item is a pair, with its 21 songs read one by one."""

    def __init__(self, lesson: Lesson) -> None:
        self.histories, self.where = lesson.taught(lesson.users)
        self.source = lesson.source
        self.draw = np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.histories)

    def __getitem__(self, index: int) -> tuple[int, Tensor]:
        user = int(self.histories.user_index[index])
        heard = set(self.histories.of_user(user)[0].tolist())
        songs = [int(self.histories.song_index[index])]
        while len(songs) < 21:
            song = int(self.draw.integers(len(self.where)))
            if song not in heard:
                songs.append(song)
        return user, torch.cat([self.source.take(self.where[[song]]) for song in songs])  # [21, layers, dim]


def _plain(aligner: AlignerV2, lesson: Lesson, seconds: float) -> list[dict[str, Any]]:
    """A torch Dataset and DataLoader, each pair with negatives of its own."""
    descent = Descent(aligner, history_training.pace(Method(), songs=SONGS))
    chosen = torch.arange(PLAIN_BATCH * 21).reshape(PLAIN_BATCH, 21)
    known = torch.ones(PLAIN_BATCH, 20, dtype=torch.bool)
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(_Pairs(lesson), batch_size=PLAIN_BATCH, shuffle=True, generator=generator, drop_last=True)
    times, last, ends = [], time.perf_counter(), time.perf_counter() + seconds
    for users, songs in loader:
        cosines = objective.pair_cosines(aligner.hear(songs.flatten(0, 1)), aligner.user_table[users], chosen)
        descent.step(objective.info_nce(cosines, known, aligner.temperature))
        now = time.perf_counter()
        times.append(now - last)
        if now > ends:
            break
        last = now
    plain = PLAIN_BATCH / median(times[1:] or times)
    return [_row(f"the plain way (Dataset, DataLoader, batch {PLAIN_BATCH}), float32: pairs", plain, "pairs/s")]


def _measuring(aligner: AlignerV2, lesson: Lesson) -> list[dict[str, Any]]:
    """What the figures on the songs held out take."""
    aligner.eval()
    taken = _timed(lambda: history_training.measure_known(aligner, lesson))
    songs = len(lesson.held_out.songs.test)
    some, every = lesson.users[::10], torch.arange(SONGS)
    table = torch.randn(len(some), SONGS, generator=torch.Generator().manual_seed(0))
    ranked = _timed(lambda: measuring.ranking(table, lesson.histories, users=some, songs=every))
    return [
        _row(f"figures of {len(lesson.users)} users on {songs} songs held out", taken, "s"),
        _row(f"figures of the scores of {len(some)} users for all {SONGS} songs", ranked, "s"),
    ]


def _own_memory() -> float:
    """Bytes that this process holds for itself; pages of the store that the kernel keeps do not count."""
    told = psutil.Process().memory_info()
    return float(told.rss - getattr(told, "shared", 0))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _row(name: str, value: float, unit: str, goal: float | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value, 2 if value < 100 else 0),
        "unit": unit,
        "goal": "" if goal is None else f"<= {goal:g}",
        "met": goal is None or value <= goal,
        "command": COMMAND,
    }


def main() -> None:
    for row in measure(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS):
        met = ("yes" if row["met"] else "NO") if row["goal"] else ""
        print(f"{row['name']:95} {row['value']:>10} {row['unit']:8} {row['goal']:8} {met}")


if __name__ == "__main__":
    main()
