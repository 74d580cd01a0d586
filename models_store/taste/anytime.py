"""Intervals that hold at every moment: whoever looks after each new number, for ever, is misled with probability alpha.

Two confidence sequences, both by Ville's inequality (a nonnegative supermartingale that begins at 1 ever reaches
1 / alpha with probability at most alpha): `share` for numbers in [0, 1], whose expectations may drift; `bets` for
numbers in [-1, 1], sharper, and the test of "no better than 0". docs/proof.md says what is claimed. Plain Python: pages
compute them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

ALPHA = 0.05
"""Probability that an interval is ever wrong."""

_TILTS = tuple(0.08 * 1.5**step for step in range(11))
"""Log odds ratios that `share` mixes, evenly weighted: from 0.08 (thousands of numbers) to 4.6 (the first few)."""

_STAKES = ((0.03, 0.04), (0.1, 0.06), (0.25, 0.1), (0.5, 0.2), (0.75, 0.25), (0.9, 0.35))
"""(share of the wealth that is bet, weight). Large stakes win soonest where the difference is plain; small ones make
long records sharp. Below 1, so that no single number ruins a bet."""

_HALVINGS = 24


@dataclass(frozen=True)
class Interval:
    """A mean and where its expectation lies. mean: None of no numbers. count: how many numbers."""

    mean: float | None
    low: float
    high: float
    count: int


def share(total: float, count: int, *, alpha: float = ALPHA) -> Interval:
    """Where the mean expectation of `count` numbers in [0, 1] lies that sum to `total`: of likes, their share.

    The expectation of each number given those before it may be anything: the interval is for their mean so far.

    With psi(p, t) = log(1 - p + p exp(t)), exp(t * total - sum of psi(p_i, t)) is a supermartingale for every t
    (Hoeffding 1963, section 4: a number in [0, 1] is at most as wide as a coin). psi is concave in p, so the sum is
    at most count * psi(mean of p_i, t), and what is left depends on the mean only. A mixture over t (Howard et al.
    2021, Time-uniform, nonparametric, nonasymptotic confidence sequences, section 3) is the confidence sequence.
    Raises ValueError for a total outside [0, count].
    """
    if count < 0 or not 0 <= total <= count:
        raise ValueError(f"share: expected a total from 0 to the count, got {total} of {count}")
    if count == 0:
        return Interval(mean=None, low=0.0, high=1.0, count=0)
    low = _least_share(total, count, limit=2.0 / alpha)
    high = 1.0 - _least_share(count - total, count, limit=2.0 / alpha)
    return Interval(mean=total / count, low=low, high=high, count=count)


def _least_share(total: float, count: int, *, limit: float) -> float:
    """The smallest mean expectation that the mixture does not refute."""

    def refuted(p: float) -> bool:
        exponents = [tilt * total - count * math.log1p(p * math.expm1(tilt)) for tilt in _TILTS]
        return _log_mean_exp(exponents) >= math.log(limit)

    return _border(refuted, 0.0, total / count)


@dataclass(frozen=True)
class Bets:
    """What came of betting that numbers in [-1, 1] exceed 0, and that they fall short of it.

    wealth, highest: what 1 became by betting on more than 0, now and at best.
    after: how many numbers it took until that was 1 / alpha for the first time; None: it was never.
    opposite_after: the same for less than 0.
    interval: of the expectation, if that is always the same.
    """

    wealth: float
    highest: float
    after: int | None
    opposite_after: int | None
    interval: Interval


def bets(numbers: Iterable[float], *, low_alpha: float = 0.8 * ALPHA, high_alpha: float = 0.2 * ALPHA) -> Bets:
    """Bet on numbers in [-1, 1], one after another.

    The wealth of a fixed share c of it bet on each number is the product of 1 + c x: a supermartingale whenever no
    number's expectation, given those before, is above 0. The mean over several c is the hedged capital of
    Waudby-Smith and Ramdas (2024, Estimating means of bounded random variables by betting, section 4), on a grid.
    The probability that `after` is ever set without reason is `low_alpha`, for `opposite_after` it is `high_alpha`:
    most of it goes to the side on which a proof lies. Raises ValueError for a number outside [-1, 1].
    """
    kept = list(numbers)
    for number in kept:
        if not -1.0 <= number <= 1.0:
            raise ValueError(f"bets: expected numbers from -1 to 1, got {number}")
    more, less = _wealths(kept), _wealths([-number for number in kept])
    return Bets(
        wealth=math.exp(min(700.0, more[-1])),
        highest=math.exp(min(700.0, max(more))),
        after=_first(more, -math.log(low_alpha)),
        opposite_after=_first(less, -math.log(high_alpha)),
        interval=_interval(kept, low_alpha=low_alpha, high_alpha=high_alpha),
    )


def _wealths(numbers: Sequence[float]) -> list[float]:
    """The logarithm of the wealth before the first number and after each."""
    logs = [math.log(weight) for _, weight in _STAKES]
    wealths = [0.0]
    for number in numbers:
        logs = [log + math.log1p(stake * number) for log, (stake, _) in zip(logs, _STAKES, strict=True)]
        wealths.append(_log_sum_exp(logs))
    return wealths


def _first(wealths: Sequence[float], limit: float) -> int | None:
    return next((place for place, wealth in enumerate(wealths) if wealth >= limit), None)


def _interval(numbers: Sequence[float], *, low_alpha: float, high_alpha: float) -> Interval:
    """Every expectation against which no bet has won 1 / alpha by now."""
    if not numbers:
        return Interval(mean=None, low=-1.0, high=1.0, count=0)
    mean = math.fsum(numbers) / len(numbers)
    mirrored = [-number for number in numbers]
    low = _least_mean(numbers, mean, limit=1.0 / low_alpha)
    high = -_least_mean(mirrored, -mean, limit=1.0 / high_alpha)
    return Interval(mean=mean, low=low, high=high, count=len(numbers))


def _least_mean(numbers: Sequence[float], mean: float, *, limit: float) -> float:
    often = Counter(numbers).items()  # few values come many times: differences of shares

    def refuted(expected: float) -> bool:
        width = 1.0 + expected  # a number lies at most so far below it
        if width <= 0.0:
            return True
        logs = [
            math.log(weight)
            + math.fsum(times * math.log1p(stake * (number - expected) / width) for number, times in often)
            for stake, weight in _STAKES
        ]
        return _log_sum_exp(logs) >= math.log(limit)

    return _border(refuted, -1.0, mean)


def _border(refuted: Callable[[float], bool], low: float, high: float) -> float:
    """Where `refuted`, true below, becomes false between two numbers; `low` where it is never true. From below."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if refuted(middle):
            low = middle
        else:
            high = middle
    return low


def _log_mean_exp(exponents: Sequence[float]) -> float:
    return _log_sum_exp(exponents) - math.log(len(exponents))


def _log_sum_exp(exponents: Sequence[float]) -> float:
    most = max(exponents)
    return most + math.log(math.fsum(math.exp(one - most) for one in exponents))
