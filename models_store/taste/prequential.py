"""Every rating is first predicted, then learned: how good the predictions were, and whether they mean what they say.

Dawid (1984, Statistical theory: the prequential approach): a forecaster is judged by the forecasts made before the
outcomes were known, and by nothing else. Plain Python: pages compute it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from models_store.taste import anytime
from models_store.taste.anytime import Interval

BINS = 10
RECENT = 5
"""Playlists in the accuracy "of late"."""
MOST_POINTS = 60
SUREST = 0.99
"""Chances are cut here and at 1 - SUREST for the logarithmic score: one missed certainty must not cost everything."""


@dataclass(frozen=True)
class Prediction:
    """A rating and what was predicted when its playlist was composed.

    playlist: its number; rows are given in the order of the playlists.
    chance: probability of a like, in [0, 1]; None where none was kept (playlists before chances were).
    likeness: in [-1, 1]; its sign is the prediction where there is no chance.
    """

    playlist: int
    liked: bool
    chance: float | None
    likeness: float

    @property
    def right(self) -> float:
        """1 right, 0 wrong, 1/2 where it said neither."""
        lean = self.likeness if self.chance is None else self.chance - 0.5
        return _right(lean, self.liked)


@dataclass(frozen=True)
class Bin:
    """Predictions of about the same chance: their mean, the share that was liked, and where it lies."""

    chance: float
    liked: Interval


@dataclass(frozen=True)
class Point:
    """The accuracy after so many ratings: of all so far, and of the last RECENT playlists; the base rate's so far."""

    ratings: int
    accuracy: float
    low: float
    high: float
    recent: float
    base: float


@dataclass(frozen=True)
class Calibration:
    """Whether chances mean what they say.

    error: expected calibration error, the mean gap between the chance and the share liked over bins of equal width.
    by_luck: what that error would be, about, if all chances were true: with few ratings it is far from 0.
    """

    error: float
    by_luck: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Scores:
    """How good the chances were, against a base rate: the share of likes in the playlists before, as it was then.

    ratings: those with a chance. brier: mean squared error, lower is better. log_score: mean log2 of the probability
    given to what came true, in bits, higher is better. gain: by how much the Brier score is below the base rate's,
    mean over the playlists, at every moment; above 0 means that the listener is known, not only their generosity.
    """

    ratings: int
    brier: float
    base_brier: float
    log_score: float
    base_log_score: float
    gain: Interval
    calibration: Calibration


@dataclass(frozen=True)
class Record:
    """The predictions of one listener's ratings. scores: None where no chance was kept."""

    accuracy: Interval
    recent: Interval
    base_accuracy: float | None
    scores: Scores | None


@dataclass(frozen=True)
class Pooled:
    """The predictions of many listeners' ratings. calibration: None where no chance was kept."""

    accuracy: Interval
    base_accuracy: float | None
    calibration: Calibration | None


def record(predictions: Iterable[Prediction]) -> Record:
    """Judge the predictions, in the order of their playlists.

    Raises ValueError for a chance outside [0, 1], a likeness that is not a number, or playlists out of order.
    """
    rows = list(predictions)
    _check(rows)
    base, right, by_base = _rights(rows)
    late = right[_recent_from(rows, len(rows)) :]
    return Record(
        accuracy=anytime.share(sum(right), len(right)),
        recent=anytime.share(sum(late), len(late)),
        base_accuracy=sum(by_base) / len(by_base) if rows else None,
        scores=_scores(rows, base),
    )


def curve(predictions: Iterable[Prediction]) -> tuple[Point, ...]:
    """The accuracy as it grew: at most MOST_POINTS points, evenly spread; the last one is always there.

    Raises ValueError as `record` does.
    """
    rows = list(predictions)
    _check(rows)
    _, right, by_base = _rights(rows)
    step = math.ceil(len(rows) / MOST_POINTS) or 1
    places = sorted({*range(step, len(rows) + 1, step), len(rows)} - {0})
    return tuple(_point(rows, right, by_base, place) for place in places)


def pooled(listeners: Iterable[Iterable[Prediction]]) -> Pooled:
    """Judge the predictions of many listeners, each against their own base rate. Raises ValueError as `record` does."""
    right: list[float] = []
    by_base: list[float] = []
    pairs: list[tuple[float, bool]] = []
    for predictions in listeners:
        rows = list(predictions)
        _check(rows)
        _, of_theirs, of_base = _rights(rows)
        right += of_theirs
        by_base += of_base
        pairs += [(row.chance, row.liked) for row in rows if row.chance is not None]
    return Pooled(
        accuracy=anytime.share(sum(right), len(right)),
        base_accuracy=sum(by_base) / len(by_base) if by_base else None,
        calibration=calibration(pairs) if pairs else None,
    )


def calibration(pairs: Sequence[tuple[float, bool]]) -> Calibration:
    """The calibration of (chance, liked) pairs, at least one (Naeini et al. 2015, with BINS bins of equal width)."""
    if not pairs:
        raise ValueError("calibration: expected at least one prediction, got none")
    binned: dict[int, list[tuple[float, bool]]] = {}
    for chance, liked in pairs:
        binned.setdefault(min(BINS - 1, int(chance * BINS)), []).append((chance, liked))
    bins, error, by_luck = [], 0.0, 0.0
    for number in sorted(binned):
        kept = binned[number]
        total, likes = math.fsum(chance for chance, _ in kept), sum(liked for _, liked in kept)
        error += abs(total - likes) / len(pairs)
        # The mean absolute deviation of a normal variable of the sum's variance.
        by_luck += math.sqrt(2 / math.pi * math.fsum(chance * (1 - chance) for chance, _ in kept)) / len(pairs)
        bins.append(Bin(chance=total / len(kept), liked=anytime.share(likes, len(kept))))
    return Calibration(error=error, by_luck=by_luck, bins=tuple(bins))


def _check(rows: Sequence[Prediction]) -> None:
    for before, row in zip([None, *rows], rows, strict=False):
        if row.chance is not None and not 0.0 <= row.chance <= 1.0:
            raise ValueError(f"Prediction.chance: expected 0 to 1 or None, got {row.chance}")
        if math.isnan(row.likeness):
            raise ValueError("Prediction.likeness: expected -1 to 1, got NaN")
        if before is not None and before.playlist > row.playlist:
            raise ValueError(f"record: expected playlists in order, got {row.playlist} after {before.playlist}")


def _rights(rows: Sequence[Prediction]) -> tuple[list[float], list[float], list[float]]:
    """Of each rating: the base rate, how right the prediction was, and how right the base rate was."""
    base = _base_rates(rows)
    by_base = [_right(rate - 0.5, row.liked) for rate, row in zip(base, rows, strict=True)]
    return base, [row.right for row in rows], by_base


def _base_rates(rows: Sequence[Prediction]) -> list[float]:
    """For each rating the share of likes in the playlists before: all that a taste knew when it predicted, too.

    (likes + 1/2) / (ratings + 1), the estimate of Krichevsky and Trofimov (1981): 1/2 before anything is rated.
    """
    rates: list[float] = []
    likes = 0
    for _, group in groupby(rows, key=lambda row: row.playlist):
        kept = list(group)
        rates += [(likes + 0.5) / (len(rates) + 1.0)] * len(kept)
        likes += sum(row.liked for row in kept)
    return rates


def _scores(rows: Sequence[Prediction], base: Sequence[float]) -> Scores | None:
    known = [
        (row.playlist, row.chance, rate, row.liked)
        for row, rate in zip(rows, base, strict=True)
        if row.chance is not None
    ]
    if not known:
        return None
    count = len(known)
    gains = []
    for _, group in groupby(known, key=lambda one: one[0]):
        kept = [_squared(rate, liked) - _squared(chance, liked) for _, chance, rate, liked in group]
        gains.append(math.fsum(kept) / len(kept))
    return Scores(
        ratings=count,
        brier=math.fsum(_squared(chance, liked) for _, chance, _, liked in known) / count,
        base_brier=math.fsum(_squared(rate, liked) for _, _, rate, liked in known) / count,
        log_score=math.fsum(_bits(chance, liked) for _, chance, _, liked in known) / count,
        base_log_score=math.fsum(_bits(rate, liked) for _, _, rate, liked in known) / count,
        gain=anytime.bets(gains).interval,
        calibration=calibration([(chance, liked) for _, chance, _, liked in known]),
    )


def _point(rows: Sequence[Prediction], right: Sequence[float], by_base: Sequence[float], place: int) -> Point:
    so_far = anytime.share(math.fsum(right[:place]), place)
    late = right[_recent_from(rows, place) : place]
    return Point(
        ratings=place,
        accuracy=math.fsum(right[:place]) / place,
        low=so_far.low,
        high=so_far.high,
        recent=math.fsum(late) / len(late),
        base=math.fsum(by_base[:place]) / place,
    )


def _recent_from(rows: Sequence[Prediction], place: int) -> int:
    """Where the last RECENT playlists begin that are rated among the first `place` rows."""
    seen: set[int] = set()
    for start in range(place, 0, -1):
        seen.add(rows[start - 1].playlist)
        if len(seen) > RECENT:
            return start
    return 0


def _right(lean: float, liked: bool) -> float:
    if lean == 0.0:
        return 0.5
    return float((lean > 0.0) == liked)


def _squared(chance: float, liked: bool) -> float:
    return (chance - liked) ** 2


def _bits(chance: float, liked: bool) -> float:
    cut = min(SUREST, max(1.0 - SUREST, chance))
    return math.log2(cut if liked else 1.0 - cut)
