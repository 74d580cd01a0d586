"""A belief in several kinds of listener at once, each as much as the ratings speak for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from models_store.taste import drift, kindred, probit
from models_store.taste.features import Features
from models_store.taste.kindred import WAYS, Way
from models_store.taste.memory import LIKE, Memory
from models_store.taste.posterior import Mixture
from models_store.taste.priors import DECIDED, MIXTURES, Prior, Scales, Users, Whitened, mixed, whiten

DECIDING = 128
"""The newest ratings that decide which prior holds; where there are more, they speak for all."""

_LEADING = 1
_LEAST_SHARE = 0.02
_UNDECIDED = Prior(spread=2.0, lapse=0.05)
_STILL = 0.9
_TURNED = Prior(spread=4.0, lapse=0.1)


@dataclass(frozen=True)
class Suppositions:
    """What is thought possible before anything is rated.

    kindred: probability that a listener is just like one of the reference users. mixtures: where the liking of others
    may lie, see `priors.Prior`; the first is tried with everything else. finalists: priors that are kept.
    ways: in which kindred may answer.
    """

    kindred: float = 0.45
    mixtures: tuple[Mapping[str, float], ...] = MIXTURES
    finalists: int = 3
    ways: tuple[Way, ...] = WAYS

    @property
    def logs(self) -> tuple[float, float]:
        """The logs of the probability of kindred, and of the others."""
        least = 1e-300
        return math.log(max(self.kindred, least)), math.log(max(1.0 - self.kindred, least))


@dataclass(frozen=True)
class Round:
    """Priors that were tried together, and the log of how well each foretold the ratings."""

    priors: list[Prior]
    evidence: Tensor

    def best(self, count: int) -> list[Prior]:
        """The priors that foretold the ratings best."""
        return [self.priors[place] for place in self.evidence.argsort(descending=True)[:count].tolist()]


@dataclass(frozen=True)
class Belief:
    """Ratings, oldest first, as `features` see them.

    numbers: [n, size]. signs, weights: [n]. wishes: [e, size] differences between the mean songs that have a concept
    and those that have not. wanted, firmness: [e], in spreads, and in ratings.
    tried: what is known already of the most common priors.
    """

    features: Features
    users: Users
    scales: Scales
    numbers: Tensor
    signs: Tensor
    weights: Tensor
    wishes: Tensor
    wanted: Tensor
    firmness: Tensor
    supposing: Suppositions = field(default_factory=Suppositions)
    tried: Round | None = None

    @classmethod
    def of(cls, features: Features, users: Users, memory: Memory, supposing: Suppositions) -> Belief:
        """From likes and dislikes, in order."""
        numbers = features.of(memory.embeddings)
        wishes = [features.of(edit.present).mean(dim=0) - features.of(edit.absent).mean(dim=0) for edit in memory.edits]
        return cls(
            features=features,
            users=users,
            scales=Scales.of(features, numbers, users),
            numbers=numbers,
            signs=torch.where(memory.ratings == LIKE, 1.0, -1.0).double(),
            weights=memory.weights.double(),
            wishes=torch.stack(wishes) if wishes else torch.zeros(0, features.size, dtype=torch.float64),
            wanted=torch.tensor([edit.wanted for edit in memory.edits], dtype=torch.float64),
            firmness=torch.tensor([edit.weight for edit in memory.edits], dtype=torch.float64),
            supposing=supposing,
        )

    def faded(self) -> Belief:
        """The same, where old ratings that disagree with new ones weigh less."""
        if len(self.signs) < drift.CUTS[0] + drift.LEAST_BEFORE:
            return self
        newest = self._last(DECIDING)
        tried = newest._try(newest._decided())
        seen, _ = newest._seen([*tried.best(1), _TURNED])
        kept = drift.faded(seen)
        if float(kept.min()) > _STILL:
            return replace(self, tried=tried)
        weights = self.weights.clone()
        weights[-len(kept) :] *= kept
        weights[: -len(kept)] *= kept[0]
        return replace(self, weights=weights)

    def mixture(self) -> Mixture:
        """What is believed."""
        recent = self._last(DECIDING)
        rounds = recent._rounds()
        among, kindred_log = recent._kindred()
        priors = [prior for one in rounds for prior in one.priors]
        every = torch.cat([one.evidence for one in rounds])
        best = every.argsort(descending=True)[: self.supposing.finalists]
        # What is not followed further speaks for the finalists, in their proportions.
        total = every.logsumexp(dim=0) + self.supposing.logs[1]
        logs = torch.cat([every[best].log_softmax(dim=0) + total, torch.tensor([kindred_log]).double()])
        shares = (logs * len(self.signs) / max(1, len(recent.signs))).softmax(dim=0)
        kept = [place for place in range(len(best)) if shares[place] >= _LEAST_SHARE]
        chosen = [priors[int(best[place])] for place in kept]
        means, roots = self._gaussians(chosen)
        spread, lapse = (torch.tensor([getattr(prior, name) for prior in chosen]) for name in ("spread", "lapse"))
        users = self._kindred_parts(among, float(shares[-1]))
        weights = torch.cat([shares[kept], users.shares]).float()
        return Mixture(
            means=torch.cat([means, users.means]).float(),
            roots=roots.half(),
            shares=weights / weights.sum(),
            spread=torch.cat([spread, users.spread]).float(),
            lapse=torch.cat([lapse, users.lapse]).float(),
        )

    def _last(self, count: int) -> Belief:
        return replace(self, numbers=self.numbers[-count:], signs=self.signs[-count:], weights=self.weights[-count:])

    def _rounds(self) -> list[Round]:
        """First it is asked how decided a listener is, then what is listened for."""
        if not len(self.signs) and not len(self.wanted):
            return [self._try([_UNDECIDED])]
        first = self.tried or self._try(self._decided())
        second = mixed(first.best(_LEADING), self.supposing.mixtures[1:])
        return [first, self._try(second)] if second else [first]

    def _decided(self) -> list[Prior]:
        return [replace(prior, **self.supposing.mixtures[0]) for prior in DECIDED]

    def _try(self, priors: list[Prior]) -> Round:
        evidence = probit.fit(self._seen(priors)[0], sweeps=probit.ROUGH).evidence
        return Round(priors, evidence + torch.tensor([prior.likely for prior in priors]).double().log())

    def _seen(self, priors: list[Prior]) -> tuple[probit.Evidence, Whitened]:
        whitened = whiten(priors, self.features, self.users, self.scales)
        spread = torch.tensor([prior.spread for prior in priors], dtype=torch.float64)
        evidence = probit.Evidence(
            songs=self.numbers @ whitened.maps,
            offset=whitened.mean @ self.numbers.T,
            signs=self.signs,
            weights=self.weights[None],
            lapse=torch.tensor([prior.lapse for prior in priors], dtype=torch.float64),
            wishes=self.wishes @ whitened.maps,
            wanted=spread[:, None] * self.wanted - whitened.mean @ self.wishes.T,
            looseness=spread[:, None] * self._looseness(),
        )
        return evidence, whitened

    def _gaussians(self, priors: list[Prior]) -> tuple[Tensor, Tensor]:
        """Mean and root of the posterior under each prior: [C, size], [C, size, D]."""
        if not priors:
            return torch.zeros(0, self.features.size), torch.zeros(0, self.features.size, 1)
        seen, whitened = self._seen(priors)
        fit = probit.fit(seen)
        means = whitened.mean + (whitened.maps @ fit.mean[:, :, None])[:, :, 0]
        # The precision is L L', so a vector of covariance 1 becomes the posterior's by the inverse of L'.
        turned = torch.linalg.solve_triangular(fit.factor, whitened.maps.transpose(1, 2), upper=False)
        return means, turned.transpose(1, 2)

    def _looseness(self) -> Tensor:
        """By how many spreads a wish may be missed: [e]. One of weight 1 says as much as one decided rating."""
        return 0.5 / self.firmness.sqrt()

    def _kindred(self) -> tuple[kindred.Kindred, float]:
        """Who of the users may be meant, and the log of how probable it is that one is, and the ratings."""
        place = self.features.parts()[0]
        found = kindred.among(
            self.users.vectors @ self.numbers[:, place].T / self.scales.users,
            self.signs,
            self.weights,
            missed=self._missed(),
            ways=self.supposing.ways,
        )
        return found, self.supposing.logs[0] + float(found.evidence.logsumexp(dim=0))

    def _own_wishes(self) -> Tensor:
        """How much somebody like a reference user may wish otherwise: as users differ from each other: [e, e]."""
        asked = self.wishes[:, self.features.parts()[0]]
        return asked @ self.users.covariance @ asked.T / self.scales.users**2

    def _missed(self) -> Tensor:
        """The log of how probable it is that each user, or somebody like them, wishes this: [users]."""
        apart = self.wanted - self.users.vectors @ self.wishes[:, self.features.parts()[0]].T / self.scales.users
        expected = self._own_wishes().diagonal() + self._looseness().square()
        return -0.5 * (apart.square() / expected).sum(dim=1)

    def _asked(self, users: Tensor) -> Tensor:
        """Users [m, places] in spreads, each moved to where the listener's wishes are: Kalman's update."""
        vectors = users / self.scales.users
        if not len(self.wanted):
            return vectors
        asked = self.wishes[:, self.features.parts()[0]]
        reached = asked @ self.users.covariance / self.scales.users**2  # [e, places]
        surprise = self._own_wishes() + self._looseness().square().diag()
        moved: Tensor = (self.wanted - vectors @ asked.T) @ torch.linalg.solve(surprise, reached)
        return vectors + moved

    def _kindred_parts(self, found: kindred.Kindred, share: float) -> Mixture:
        """The users that are likely enough, each under the ways to answer that are; `share` in all, or a bit less."""
        shares = (found.evidence.softmax(dim=0)[:, None] * found.shares * share).flatten()  # [K * users]
        kept = (shares > max(0.002 * share, 1e-4)).nonzero().flatten()
        way, user = kept // len(self.users.vectors), kept % len(self.users.vectors)
        means = torch.zeros(len(kept), self.features.size, dtype=torch.float64)
        means[:, self.features.parts()[0]] = found.spread[way, None] * self._asked(self.users.vectors[user])
        return Mixture(means, means[:0, :, None], shares[kept], found.spread[way], found.lapse[way])
