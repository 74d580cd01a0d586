"""The proof: songs that were evolved for a listener are liked more often than songs that were not; or nothing to show.

Each playlist holds, unmarked, a control: a song evolved for somebody else or drawn at random. A playlist is a block:
its own share of likes among the evolved songs minus its own share among the controls. Whatever moves from playlist to
playlist (mood, generosity, the hour) moves both and cancels. A repeat, now and then, tells how a listener agrees with
themselves. docs/proof.md says what is claimed and what is not. Plain Python: pages compute it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from models_store.taste import anytime
from models_store.taste.anytime import ALPHA, Interval

Verdict = Literal["nothing", "proved", "opposite"]

PROOF_ALPHA = 0.8 * ALPHA
"""Probability of ever proving what is not so: the larger part of ALPHA, the rest is for the opposite."""


@dataclass(frozen=True)
class Block:
    """What was said of one playlist: liked or not, of the songs evolved for the listener and of the controls.

    Songs without an opinion, songs that were there to learn from (asked) and repeats are in neither.
    """

    evolved: tuple[bool, ...]
    controls: tuple[bool, ...]

    @property
    def difference(self) -> float | None:
        """Share of likes among the evolved minus that among the controls, in [-1, 1]; None without one of each."""
        if not self.evolved or not self.controls:
            return None
        return sum(self.evolved) / len(self.evolved) - sum(self.controls) / len(self.controls)


@dataclass(frozen=True)
class Proof:
    """What can be claimed after some playlists.

    verdict: `proved` and `opposite` (controls are liked more) stay once they are reached.
    after: the number of compared playlists at which the verdict was reached; None: it was not.
    compared: playlists with an opinion of an evolved song and of a control; nothing is taken from the others.
    evolved, controls: shares of likes. difference: mean over the playlists. All hold at every moment.
    evidence: in [0, 1], how far the bets came towards the proof, at best; 1 is the proof.
    """

    verdict: Verdict
    after: int | None
    compared: int
    evolved: Interval
    controls: Interval
    difference: Interval
    evidence: float


def prove(blocks: Iterable[Block]) -> Proof:
    """What the playlists prove, oldest first, each of them finished."""
    found = [(one, one.difference) for one in blocks]
    compared = [(one, difference) for one, difference in found if difference is not None]
    won = anytime.bets(
        (difference for _, difference in compared), low_alpha=PROOF_ALPHA, high_alpha=ALPHA - PROOF_ALPHA
    )
    verdict, after = _verdict(won)
    return Proof(
        verdict=verdict,
        after=after,
        compared=len(compared),
        evolved=_likes([liked for one, _ in compared for liked in one.evolved]),
        controls=_likes([liked for one, _ in compared for liked in one.controls]),
        difference=won.interval,
        evidence=min(1.0, math.log(won.highest) / -math.log(PROOF_ALPHA)),
    )


def _verdict(won: anytime.Bets) -> tuple[Verdict, int | None]:
    """The one that was reached first."""
    if won.after is not None and (won.opposite_after is None or won.after < won.opposite_after):
        return "proved", won.after
    if won.opposite_after is not None:
        return "opposite", won.opposite_after
    return "nothing", None


def _likes(opinions: Sequence[bool]) -> Interval:
    return anytime.share(sum(opinions), len(opinions))


def sentence(proof: Proof, *, everyone: bool = False) -> str:
    """The proof in words, to the listener; or to others, of everyone."""
    playlists = f"{proof.compared} playlist{'' if proof.compared == 1 else 's'}"
    if not proof.compared:
        return "Nothing to show yet: no playlist is rated in which songs of both kinds can be compared."
    shares = (
        f"songs evolved for {'whom they were played to' if everyone else 'you'}: liked {_percent(proof.evolved)}, "
        f"against {_percent(proof.controls)} for songs made for others"
    )
    if proof.verdict == "proved":
        return f"Proved after {proof.after} of {playlists}: {shares}."
    if proof.verdict == "opposite":
        return f"The opposite is proved, after {proof.after} of {playlists}: {shares}."
    return f"Nothing to show yet after {playlists}: {shares}."


def _percent(share: Interval) -> str:
    return f"{share.mean or 0.0:.0%} ({100 * share.low:.0f} to {100 * share.high:.0f})".replace("%", " %")


@dataclass(frozen=True)
class Noise:
    """How a listener agrees with themselves.

    changed: share of the repeats that were rated otherwise than before.
    best: no prediction of these ratings, however good, is right more often than this; `best_low` to `best_high`
        at every moment.
    """

    changed: Interval
    best: float | None
    best_low: float
    best_high: float


def noise(pairs: Iterable[tuple[bool, bool]]) -> Noise:
    """The noise from repeats: (liked before, liked again) each.

    A song that is liked with probability p is rated otherwise with probability 2 p (1 - p), and predicted rightly with
    probability max(p, 1 - p) at best. With r the share rated otherwise, over any mixture of songs, the best accuracy
    lies between 1 - r and (1 + sqrt(1 - 2 r)) / 2, by Jensen's inequality for |2 p - 1| and its square; the upper one
    is reached where all songs are equally uncertain. `best` and `best_high` are that upper end, `best_low` the lower.
    """
    kept = list(pairs)
    changed = anytime.share(sum(before != again for before, again in kept), len(kept))
    return Noise(
        changed=changed,
        best=None if changed.mean is None else _ceiling(changed.mean),
        best_low=max(0.5, 1.0 - changed.high),
        best_high=_ceiling(changed.low),
    )


def _ceiling(changed: float) -> float:
    return (1.0 + math.sqrt(max(0.0, 1.0 - 2.0 * changed))) / 2.0
