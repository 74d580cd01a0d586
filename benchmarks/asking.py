"""What to ask, and how much of it: how soon a taste is known, and what the listener likes on the way.

`python -m benchmarks.asking [--songs-file FILE] [--listeners N] [--only TABLE]` prints every strategy, first playlist
and composition, in the worlds of `manage.py evaluate_taste`; `make bench` compares those in use with not asking.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from models_store import catalog, prompts, seeding
from models_store.aligner import shipped, world
from models_store.evaluation import play
from models_store.taste import asking, curation, evaluation
from models_store.taste.base import Taste
from models_store.taste.bayes import Bayes
from models_store.taste.comparison import agreement
from models_store.taste.evaluation import Contestant
from models_store.taste.trial_worlds import WORLDS, Trial, TrialWorld

COMMAND = "python -m benchmarks.asking"
KS = (5, 10, 20)
PLAYLIST, ROUNDS = 8, 6
DRAWN, OFFERED = 200, 48
"""Of so many songs a round offers so many, the most promising: as a search does."""

Figures = dict[str, float]


def strategy_figures(place: TrialWorld, name: str) -> Figures:
    """Spearman and AUC after each of KS answers that a strategy asked for, a playlist at a time."""
    contestant = Contestant(name, Bayes(place.aligner), asks=partial(asking.ask, strategy=name))
    found = next(evaluation.evaluate(place, [contestant], ratings=KS, seed=0))
    return {f"{what} {one.k}": getattr(one, what) for what in ("spearman", "auc") for one in found}


def by_chance(place: TrialWorld, songs: Tensor, seed: int) -> list[int]:  # noqa: ARG001
    """Any songs."""
    return torch.randperm(len(songs), generator=torch.Generator().manual_seed(seed))[:PLAYLIST].tolist()


def by_variance(place: TrialWorld, songs: Tensor, seed: int) -> list[int]:  # noqa: ARG001
    """The songs about which the reference listeners differ most, given what they say about those chosen before."""
    cosines = place.aligner.cosines(place.aligner.reference_users(), songs).detach().double()
    left, chosen = cosines - cosines.mean(dim=0), list[int]()  # [users, N]
    for _ in range(PLAYLIST):
        chosen.append(int(left.square().sum(dim=0).argmax()))
        told = left[:, chosen[-1]] / left[:, chosen[-1]].norm().clamp_min(1e-9)
        left = left - told[:, None] * (told @ left)
    return chosen


def by_information(place: TrialWorld, songs: Tensor, seed: int) -> list[int]:
    """What tells most about which of the reference listeners it is."""
    cosines = place.aligner.cosines(place.aligner.reference_users(), songs).detach()
    chance = (cosines / place.aligner.temperature).sigmoid().mean(dim=0).detach()
    return asking.ask(cosines, chance, count=PLAYLIST, seed=seed)


def by_belief(place: TrialWorld, songs: Tensor, seed: int) -> list[int]:
    """What tells most about the taste that is believed of anybody before the first rating."""
    taste = _learned(place, place.trials[0], [])
    believed = taste.draws(songs, count=asking.DRAWS, seed=seed), taste.probability(songs)
    sounds, scale = place.aligner.standardise(songs), curation.unrelated(place.aligner)
    return curation.introduce(believed, sounds, count=PLAYLIST, scale=scale, seed=seed)


OPENINGS: dict[str, Callable[[TrialWorld, Tensor, int], list[int]]] = {
    "any songs": by_chance,
    "variance over the reference listeners": by_variance,
    "information about the reference listener": by_information,
    "information about the belief": by_belief,
}


def opening_figures(place: TrialWorld, name: str) -> Figures:
    """Spearman, AUC and share of likes after a first playlist out of OFFERED songs."""
    found = []
    for number, trial in enumerate(place.trials):
        pool = trial.played[:OFFERED]
        chosen = pool[OPENINGS[name](place, place.embeddings[pool], number)]
        found.append({**_found(place, trial, _learned(place, trial, chosen.tolist())), "liked": _liked(trial, chosen)})
    return _means(found)


COMPOSITIONS: dict[str, Callable[[Tensor], int]] = {
    "nothing asked": lambda draws: 0,  # noqa: ARG005
    "1 of 8 asked": lambda draws: 1,  # noqa: ARG005
    "2 of 8 asked": lambda draws: 2,  # noqa: ARG005
    "4 of 8 asked": lambda draws: 4,  # noqa: ARG005
    "fewer and fewer asked": lambda draws: curation.how_many_to_ask(draws, count=PLAYLIST),
}


def composition_figures(place: TrialWorld, name: str) -> Figures:
    """The share of likes in the playlists after the first, in the last, and Spearman and AUC at the end, over ROUNDS.

    A round offers the most promising of the songs that it draws, and all that was offered before and not played.
    """
    found = []
    for number, trial in enumerate(place.trials):
        luck = torch.Generator().manual_seed(number)
        offered, heard, liked = trial.played[:OFFERED].tolist(), list[int](), list[float]()
        taste = _learned(place, trial, [])
        for round_ in range(ROUNDS):
            fresh = torch.tensor([one for one in offered if one not in heard])
            chosen = fresh[_composed(place, taste, fresh, name, first=not round_, seed=round_)]
            heard += chosen.tolist()
            liked.append(_liked(trial, chosen))
            taste = _learned(place, trial, heard)
            drawn = trial.played[torch.randperm(len(trial.played), generator=luck)[:DRAWN]]
            promising = taste.likeness(place.embeddings[drawn])[0].argsort(descending=True)[:OFFERED]
            offered = list(dict.fromkeys([*drawn[promising].tolist(), *offered]))
        found.append({"liked": fmean(liked[1:]), "liked last": liked[-1], **_found(place, trial, taste)})
    return _means(found)


def _composed(place: TrialWorld, taste: Taste, fresh: Tensor, name: str, *, first: bool, seed: int) -> list[int]:
    songs = place.embeddings[fresh]
    if first:
        return by_belief(place, songs, seed)
    draws = taste.draws(songs, count=asking.DRAWS, seed=seed)
    picks = curation.compose(
        taste.likeness(songs)[0],
        place.aligner.standardise(songs),
        count=PLAYLIST,
        believed=(draws, taste.probability(songs)),
        asked=COMPOSITIONS[name](draws),
        diversity=0.45,
        scale=curation.unrelated(place.aligner),
        seed=seed,
    )
    return [pick.index for pick in picks]


def _learned(place: TrialWorld, trial: Trial, heard: Sequence[int]) -> Taste:
    return Bayes(place.aligner).learn(place.memory(trial, torch.tensor(list(heard), dtype=torch.long)), seed=0)


def _found(place: TrialWorld, trial: Trial, taste: Taste) -> Figures:
    agreed = agreement(taste.likeness(place.embeddings[trial.held_out])[0], trial.truth[trial.held_out])
    return {"spearman": agreed.spearman, "auc": agreed.auc}


def _liked(trial: Trial, songs: Tensor) -> float:
    return float((trial.truth[songs] > 0).double().mean())


def _means(found: Sequence[Figures]) -> Figures:
    return {key: fmean(one[key] for one in found) for key in found[0]}


def distances(*, count: int = 100, seed: int = 0) -> dict[str, list[float]]:
    """How far songs of 4 s lie apart, in distances between unrelated songs: the tenths of pairs, the nearest first."""
    generator, encoder, luck = catalog.generator("soundfont"), catalog.encoder("spectral"), random.Random(seed)
    said = [prompts.draw(catalog.lexicon("soundfont"), luck).text() for _ in range(count)]
    aligner = shipped.load_for("spectral")
    first, second = (
        aligner.standardise(play(generator, encoder, said, seconds=4.0, seeds=range(start, start + count)).embeddings)
        for start in (0, count)
    )
    scale, tenths = curation.unrelated(aligner) or 1.0, torch.linspace(0.0, 1.0, 11)
    found = {
        "two prompts": torch.pdist(first.flatten(1)),
        "one prompt, two seeds": (first - second).flatten(1).norm(dim=1),
    }
    return {name: (apart / scale).quantile(tenths).tolist() for name, apart in found.items()}


TABLES: dict[str, tuple[Callable[[TrialWorld, str], Figures], Sequence[str]]] = {
    "strategy": (strategy_figures, list(asking.STRATEGIES)),
    "first playlist": (opening_figures, list(OPENINGS)),
    "composition": (composition_figures, list(COMPOSITIONS)),
}


def figures(
    songs: world.Songs, *, listeners: int, names: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str, str, Figures]]:
    """(table, what is compared, world, figures), one after another. names: what to compare, by table."""
    aligner = shipped.load_for("spectral")
    places = [make(aligner, songs, listeners=listeners, seed=1) for make in WORLDS.values()]
    for table, compared in names.items():
        for name in compared:
            for place in places:
                yield table, name, place.name, TABLES[table][0](place, name)


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command."""
    used = {"strategy": ["random", asking.BEST], "composition": ["nothing asked", "fewer and fewer asked"]}
    found = {(which, name): values for _, name, which, values in figures(_played(), listeners=24, names=used)}
    rows = []
    for which in WORLDS:
        for k in KS:
            gain = found[which, asking.BEST][f"spearman {k}"] - found[which, "random"][f"spearman {k}"]
            rows.append(_row(f"world {which}: asking well, Spearman after {k} ratings", gain, goal=0.05))
        for name in used["composition"]:
            values = found[which, name]
            rows.append(_row(f"world {which}, {name}: liked after the first playlist", values["liked"]))
            rows.append(_row(f"world {which}, {name}: Spearman after {ROUNDS} playlists", values["spearman"]))
    return rows


def _row(name: str, value: float, *, goal: float | None = None) -> dict[str, Any]:
    wanted = "" if goal is None else f">= {goal}"
    met = goal is None or value >= goal
    return {"name": name, "value": round(value, 3), "unit": "", "goal": wanted, "met": met, "command": COMMAND}


def _played() -> world.Songs:
    generator, encoder = catalog.generator("soundfont"), catalog.encoder("spectral")
    lexicon = catalog.lexicon("soundfont")
    return world.play_songs(generator, encoder, lexicon, count=2000, seed=seeding.derive(0, "asking"), progress=True)


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--songs-file", type=Path, help="as evaluate_taste keeps them; else they are played")
    parser.add_argument("--listeners", type=int, default=24, help="of each world")
    parser.add_argument("--only", choices=["distances", *TABLES])
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    if wanted.only in (None, "distances"):
        for name, tenths in distances().items():
            print(f"{'distances':14s}  {name:40s}  {' '.join(f'{apart:.2f}' for apart in tenths)}", flush=True)
    names = {table: compared for table, (_, compared) in TABLES.items() if wanted.only in (None, table)}
    if names:
        songs = world.load(wanted.songs_file) if wanted.songs_file else _played()
        for table, name, which, values in figures(songs, listeners=wanted.listeners, names=names):
            told = "  ".join(f"{key} {value:.3f}" for key, value in values.items())
            print(f"{table:14s}  {name:40s}  {which}  {told}", flush=True)


if __name__ == "__main__":
    main()
