"""The closed loop with synthetic listeners, through the very code that people use, against a random control."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from statistics import fmean

import torch
from torch import Tensor

from evolution import evaluation, generations, interruption, runs
from evolution.models import Round
from evolution.takes import Take
from listening import conducting, feedback, listeners, profiles, selectors
from listening.models import Listener, Playlist, PlaylistTrack, Track
from models_store import catalog, prompts, seeding
from models_store.taste import curation
from models_store.taste.synthetic import SyntheticListener

POLL_SECONDS = 0.1
ROUND_SECONDS = 1800.0
OWN = (PlaylistTrack.Role.EVOLVED, PlaylistTrack.Role.ASKED)
"""What was chosen for the listener: neither a control nor a repeat counts as liked or not."""


class SimulationError(RuntimeError):
    """A round failed or did not end; the message says which and why."""


@dataclass(frozen=True)
class RoundFigures:
    """One round over all listeners: shares in [0, 1], mean pairwise embedding distance, ratings given."""

    round: int
    liked: float
    control: float
    variety: float
    ratings: int


@dataclass(frozen=True)
class _Heard:
    """What one listener said in one round."""

    liked: float
    control: float
    variety: float
    ratings: int


Progress = Callable[[int, int], None]


def run(
    *, listeners_count: int, rounds: int, seed: int, noise: float = 0.0, on_progress: Progress | None = None
) -> list[RoundFigures]:
    """Let synthetic listeners go through `rounds` rounds; the figures of each.

    on_progress: told the round and how many of its playlists are rated.
    Raises SimulationError when a round fails.
    """
    people = _make_listeners(listeners_count, seed)
    figures = []
    for number in range(1, rounds + 1):
        for person in people:
            feedback.evolve(listener=person)
        said = []
        for person, playlist in _as_they_come(people, number):
            said.append(_listen(person, playlist, number, noise=noise))
            if on_progress:
                on_progress(number, len(said))
        figures.append(_figures(number, said))
    return figures


def as_json(figures: list[RoundFigures], *, listeners_count: int, seed: int) -> dict[str, object]:
    """What `simulate --json` writes."""
    return {"seed": seed, "listeners": listeners_count, "rounds": [asdict(one) for one in figures]}


def _make_listeners(count: int, seed: int) -> list[Listener]:
    users = profiles.aligner().config.users
    chosen = random.Random(seeding.derive(seed, "listeners")).sample(range(users), k=min(count, users))
    chosen += [chosen[index % users] for index in range(users, count)]
    return [
        listeners.make_synthetic(reference_user=user, seed=seeding.derive(seed, "run", index))
        for index, user in enumerate(chosen)
    ]


def _as_they_come(people: list[Listener], number: int) -> Iterable[tuple[Listener, Playlist]]:
    """Every listener with the playlist of this round, as soon as it is ready."""
    waiting = {person.run_id: person for person in people}
    give_up = time.monotonic() + ROUND_SECONDS
    while waiting:
        interruption.check()
        for round_ in Round.objects.filter(run__in=waiting, number=number).exclude(status__in=Round.PENDING):
            person = waiting.pop(round_.run_id)
            if round_.status == Round.Status.FAILED:
                raise SimulationError(f"{person}: {round_.message}")
            yield person, Playlist.objects.get(round=round_)
        if time.monotonic() > give_up:
            raise SimulationError(f"round {number}: {len(waiting)} playlists did not come in {ROUND_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)


def _listen(person: Listener, playlist: Playlist, number: int, *, noise: float) -> _Heard:
    ratings = torch.tensor(conducting.rate(person, playlist, noise=noise))
    tracks = Track.objects.filter(place__playlist=playlist).select_related("recording__evaluation")
    roles = PlaylistTrack.objects.filter(playlist=playlist).order_by("position").values_list("role", flat=True)
    own = torch.tensor([role in OWN for role in roles])
    embeddings = generations.heard([track.recording.evaluation for track in tracks]).embeddings
    judge = SyntheticListener(profiles.reference(person), noise=noise)
    control = judge.rate(
        _control(person, number, len(tracks)), seed=seeding.derive(person.run.seed, "control rating", number)
    )
    standard = profiles.aligner_of(person).standardise(embeddings)
    judged = ratings[own] if bool(own.any()) else ratings
    return _Heard(_liked(judged), _liked(control), curation.variety(standard), selectors.progress(person).rated)


def _control(person: Listener, number: int, count: int) -> Tensor:
    """As many songs from random prompts, as long as the playlist's: embeddings [count, layers, dim]."""
    configuration = runs.configuration(person.run)
    rng = random.Random(seeding.derive(person.run.seed, "control", number))
    lexicon = catalog.lexicon(configuration.music_model)
    seconds = configuration.evolution.best_duration
    takes = [Take(prompts.draw(lexicon, rng).text(), rng.getrandbits(31), seconds) for _ in range(count)]
    instruments = runs.instruments(person.run)
    stored = evaluation.evaluate(takes, instruments)
    return generations.heard([stored[take.key(instruments)] for take in takes]).embeddings


def _liked(ratings: Tensor) -> float:
    return float((ratings > 0).float().mean())


def _figures(number: int, said: list[_Heard]) -> RoundFigures:
    return RoundFigures(
        round=number,
        liked=fmean(one.liked for one in said),
        control=fmean(one.control for one in said),
        variety=fmean(one.variety for one in said),
        ratings=sum(one.ratings for one in said),
    )
