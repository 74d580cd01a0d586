"""Music that was evolved for people and can be recorded without a player: rows as the loop writes them, from a seed."""

from __future__ import annotations

import random
import uuid

import torch
from django.utils import timezone

from evolution import runs
from evolution.models import Candidate, Evaluation, Generation, Recording, Round
from evolution.takes import Take
from listening import feedback, listeners, picks, playlists, profiles
from listening.feedback import Opinion
from listening.models import Listener, Playlist, Track
from models_store import catalog, prompts, seeding


def pair() -> list[Listener]:
    """Two who rated what they heard, the one liking what came first, the other what came last, and evolved again."""
    people = [listeners.make_guest(), listeners.make_guest()]
    for seed, person in enumerate(people):
        first = play(person, evolve(person, seed=seed), tracks=4)
        for place in first.places.select_related("track"):
            say(person, place.track, 1 if (place.position < 2) == (seed == 0) else -1)
        play(person, evolve(person, number=2, seed=seed), tracks=3)
    return people


def evolve(listener: Listener, *, number: int = 1, candidates: int = 12, seed: int) -> Round:
    """A round of the listener's that is done."""
    luck = random.Random(seeding.derive("evolved", seed, number))
    configuration, instruments = runs.configuration(listener.run), runs.instruments(listener.run)
    lexicon, ordinary = catalog.lexicon(configuration.music_model), _ordinary_songs(listener)
    round_ = Round.objects.create(
        run=listener.run, number=number, status=Round.Status.DONE, generations_planned=1, finished_at=timezone.now()
    )
    generation = Generation.objects.create(
        round=round_, number=1, best=1, mean=0, median=0, worst=-1, seconds=1, played=candidates
    )
    for position in range(candidates):
        prompt, drawn = prompts.draw(lexicon, luck).text(), luck.getrandbits(31)
        sound = luck.choice(ordinary)
        heard = _heard(Take(prompt, drawn, configuration.evolution.duration).key(instruments), sound)
        longer = Take(prompt, drawn, configuration.evolution.best_duration).key(instruments)
        Recording.objects.create(
            key=longer, evaluation=_heard(longer, sound), file="none.mp3", seconds=12.0, loudness=-16.0, peaks=[0.5]
        )
        Candidate.objects.create(
            generation=generation,
            position=position,
            prompt=prompt,
            genome=prompt,
            seed=drawn,
            evaluation=heard,
            fitness=luck.uniform(-1, 1),
            likeness=0.0,
            artefacts=0.0,
        )
    return round_


def play(listener: Listener, round_: Round, *, tracks: int) -> Playlist:
    """The round's playlist: the first of its candidates."""
    seconds = runs.configuration(listener.run).evolution.best_duration
    found = Candidate.objects.filter(generation__round=round_).order_by("position")[:tracks]
    chosen = [picks.of_candidate(one, seconds=seconds) for one in found]
    return playlists.keep(listener, chosen, taste=profiles.learn(listener, round_), round_=round_)


def say(listener: Listener, track: Track, value: int, *, never: bool = False) -> None:
    opinion = Opinion(id=uuid.uuid4(), track=track.pk, value=value, seconds=1.5, given_at=timezone.now(), never=never)
    feedback.record(listener=listener, opinion=opinion)


def _ordinary_songs(listener: Listener) -> torch.Tensor:
    """As the listener's encoder hears them: [S, layers, dim]."""
    concepts = profiles.concepts_of(listener)
    assert concepts is not None
    return concepts.embeddings


def _heard(key: str, sound: torch.Tensor) -> Evaluation:
    layers, dim = sound.shape
    return Evaluation.objects.create(
        key=key, embedding=sound.numpy().astype("<f4").tobytes(), layers=layers, dim=dim, artefacts=[0.0] * 5
    )
