"""How well and how soon learners find a listener's taste, in worlds in which it is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from models_store.aligner.model import AlignerV2
from models_store.taste import baselines
from models_store.taste.base import Taste, TasteLearner
from models_store.taste.bayes import Bayes
from models_store.taste.comparison import agreement
from models_store.taste.infonce import InfoNCE
from models_store.taste.trial_worlds import ROUND, Trial, TrialWorld

RATINGS = (5, 10, 20, 40, 100, 200)
PLAYED = 20
"""Songs that one would play: those with the highest likeness among the held out."""

ASKED_AMONG = 300
"""Unrated songs among which the next question is chosen, about as many as a search has candidates."""

BINS = 10
PROTOTYPE = "prototype, best"


class Asks(Protocol):
    """What to ask next."""

    def __call__(self, draws: Tensor, probability: Tensor, *, count: int, seed: int) -> list[int]:
        """`count` distinct indices of songs, from draws of their likeness [D, N] and their probability [N]."""


@dataclass(frozen=True)
class Contestant:
    """A learner, and how it comes by its ratings.

    name: in the table. asks: what it asks for; None: what chance plays. best_of: contestants of one such name are
    shown as one, the best at each number of ratings.
    """

    name: str
    learner: TasteLearner
    asks: Asks | None = None
    best_of: str | None = None


@dataclass(frozen=True)
class Figures:
    """Means over the listeners, after k ratings, on songs held out.

    spearman: of likeness with the truth; spearman_error: standard error of its mean. auc: of likeness against what is
    truly liked. top20: mean true percentile (0 to 1, among the held out) of the PLAYED songs of the highest likeness;
    top20_liked: share of them that is truly liked. ece: expected calibration error of the probability against what the
    listeners would answer, over all of them, in BINS equal steps; excess: of each step, predicted minus said likes per
    listener and song, of which it is the sum of sizes. milliseconds: processor time of one thread to learn.
    variant: which, where the best of some is shown.
    """

    world: str
    learner: str
    k: int
    spearman: float
    auc: float
    top20: float
    ece: float
    milliseconds: float
    spearman_error: float
    top20_liked: float
    listeners: int
    excess: tuple[float, ...] = ()
    variant: str | None = None


LEARNERS = (
    PROTOTYPE,
    "infonce",
    "posterior over users",
    "posterior, by evidence",
    "ridge",
    "ridge + posterior",
    "Bayes, prior by evidence",
    "bayes",
    "bayes, asking",
)


def contestants(aligner: AlignerV2, names: Sequence[str] = LEARNERS) -> list[Contestant]:
    """The learners of these names. Raises ValueError for one that is not known."""
    unknown = set(names) - set(LEARNERS)
    if unknown:
        raise ValueError(f"learners: expected some of {', '.join(LEARNERS)}; got {', '.join(sorted(unknown))}")
    makers: dict[str, Callable[[], list[Contestant]]] = {
        PROTOTYPE: lambda: [
            Contestant(name, learner, best_of=PROTOTYPE) for name, learner in baselines.prototype(aligner).items()
        ],
        "infonce": lambda: [Contestant("infonce", InfoNCE(aligner))],
        "posterior over users": lambda: [Contestant("posterior over users", baselines.posterior_over_users(aligner))],
        "posterior, by evidence": lambda: [
            Contestant("posterior, by evidence", baselines.posterior_by_evidence(aligner))
        ],
        "ridge": lambda: [Contestant("ridge", baselines.Ridge(aligner))],
        "ridge + posterior": lambda: [Contestant("ridge + posterior", baselines.Ridge(aligner, with_users=True))],
        "Bayes, prior by evidence": lambda: [Contestant("Bayes, prior by evidence", baselines.gaussian(aligner))],
        "bayes": lambda: [Contestant("bayes", Bayes(aligner))],
        "bayes, asking": lambda: [Contestant("bayes, asking", Bayes(aligner), asks=_best_questions)],
    }
    return [contestant for name in LEARNERS if name in names for contestant in makers[name]()]


def evaluate(
    world: TrialWorld, taking_part: Sequence[Contestant], *, ratings: Sequence[int] = RATINGS, seed: int
) -> Iterator[list[Figures]]:
    """Let every contestant learn every listener of a world, after each number of ratings; a list per contestant.

    All contestants meet the same listeners, songs and slips. Contestants with the same `best_of` come together, at
    the end of the last of them. Raises ValueError for numbers of ratings that are not rising, or more than songs.
    """
    songs = len(world.trials[0].played)
    if not ratings or sorted(set(ratings)) != list(ratings) or ratings[0] < 1 or ratings[-1] > songs:
        raise ValueError(f"ratings: expected rising numbers from 1 to {songs}, got {list(ratings)}")
    variants: dict[str, list[list[Figures]]] = {}
    for place, contestant in enumerate(taking_part):
        found = _figures(world, contestant, ratings, seed)
        if contestant.best_of is None:
            yield found
            continue
        variants.setdefault(contestant.best_of, []).append(found)
        if all(later.best_of != contestant.best_of for later in taking_part[place + 1 :]):
            yield _best(variants[contestant.best_of], contestant.best_of)


def _best(variants: Sequence[Sequence[Figures]], name: str) -> list[Figures]:
    best = [max(each, key=lambda figures: figures.spearman) for each in zip(*variants, strict=True)]
    return [replace(figures, learner=name, variant=figures.learner) for figures in best]


@dataclass(frozen=True)
class _Outcome:
    """Of one listener. predicted: [N] probabilities of a like; said: [N], whether it is what is answered."""

    spearman: float
    auc: float
    top: float
    top_liked: float
    milliseconds: float
    predicted: Tensor
    said: Tensor


def _figures(world: TrialWorld, contestant: Contestant, ratings: Sequence[int], seed: int) -> list[Figures]:
    outcomes = [_outcomes(world, trial, contestant, ratings, seed) for trial in world.trials]
    found = []
    for k, each in zip(ratings, zip(*outcomes, strict=True), strict=True):
        spearman = np.array([one.spearman for one in each])
        excess = _excess(torch.cat([one.predicted for one in each]), torch.cat([one.said for one in each]))
        found.append(
            Figures(
                world=world.name,
                learner=contestant.name,
                k=k,
                spearman=float(spearman.mean()),
                auc=float(np.mean([one.auc for one in each])),
                top20=float(np.mean([one.top for one in each])),
                ece=float(excess.abs().sum()),
                milliseconds=float(np.mean([one.milliseconds for one in each])),
                spearman_error=float(spearman.std() / len(spearman) ** 0.5),
                top20_liked=float(np.mean([one.top_liked for one in each])),
                listeners=len(each),
                excess=tuple(excess.tolist()),
            )
        )
    return found


def _outcomes(
    world: TrialWorld, trial: Trial, contestant: Contestant, ratings: Sequence[int], seed: int
) -> list[_Outcome]:
    outcomes = []
    rated = trial.played[:0]
    for k in ratings:
        rated = _asked(world, trial, contestant, rated, k, seed) if contestant.asks else trial.played[:k]
        memory = world.memory(trial, rated)
        started = time.thread_time()
        taste = contestant.learner.learn(memory, seed=seed)
        outcomes.append(_outcome(world, trial, taste, 1e3 * (time.thread_time() - started)))
    return outcomes


def _outcome(world: TrialWorld, trial: Trial, taste: Taste, milliseconds: float) -> _Outcome:
    songs, truth = world.embeddings[trial.held_out], trial.truth[trial.held_out]
    likeness, _ = taste.likeness(songs)
    agreed = agreement(likeness, truth)
    top = likeness.argsort(descending=True, stable=True)[:PLAYED]
    percentile = truth.argsort().argsort().double() / max(1, len(truth) - 1)
    return _Outcome(
        spearman=agreed.spearman,
        auc=agreed.auc,
        top=float(percentile[top].mean()),
        top_liked=float((truth[top] > 0).double().mean()),
        milliseconds=milliseconds,
        predicted=taste.probability(songs),
        said=trial.answers[trial.held_out] > 0,
    )


def _asked(world: TrialWorld, trial: Trial, contestant: Contestant, rated: Tensor, k: int, seed: int) -> Tensor:
    """The songs rated so far, and as many more as are asked for to make it k: a playlist at a time."""
    if contestant.asks is None:
        raise ValueError(f"{contestant.name}: expected a contestant that asks")
    while len(rated) < k:
        free = trial.played[~torch.isin(trial.played, rated)][:ASKED_AMONG]
        taste = contestant.learner.learn(world.memory(trial, rated), seed=seed)
        songs = world.embeddings[free]
        chosen = contestant.asks(
            taste.draws(songs, count=256, seed=seed),
            taste.probability(songs),
            count=min(ROUND, k - len(rated)),
            seed=seed + len(rated),
        )
        rated = torch.cat([rated, free[torch.tensor(chosen)]])
    return rated


def _best_questions(draws: Tensor, probability: Tensor, *, count: int, seed: int) -> list[int]:
    from models_store.taste import asking

    return asking.ask(draws, probability, count=count, seed=seed)


def calibration_error(predicted: Tensor, said: Tensor) -> float:
    """Mean distance between what was predicted [N] and how often it was so (bool) [N], in equal steps of prediction.

    Expected calibration error (Naeini, Cooper and Hauskrecht 2015, Obtaining well calibrated probabilities).
    """
    return float(_excess(predicted, said).abs().sum())


def mixed_calibration_error(found: Sequence[Figures]) -> float:
    """The calibration error among listeners of whom as many come from each of these worlds.

    What a learner cannot know is of which kind a listener is: over-cautious for one kind and too bold for another may
    be just right for who comes in at the door.
    """
    return float(np.abs(np.mean([one.excess for one in found], axis=0)).sum())


def _excess(predicted: Tensor, said: Tensor) -> Tensor:
    """Predicted minus said likes, in each of the steps of prediction, per answer: [BINS]."""
    step = (predicted.double() * BINS).long().clamp(0, BINS - 1)
    apart = torch.zeros(BINS, dtype=torch.float64).index_add_(0, step, predicted.double() - said.double())
    return apart / max(1, len(predicted))


def as_json(found: Sequence[Figures]) -> list[Mapping[str, object]]:
    """As programs read it: see SPEC 7; more keys than those may be there."""
    return [{name: value for name, value in vars(one).items() if value is not None} for one in found]
