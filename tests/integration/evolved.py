"""Listeners for whom music was evolved and played: rows as the loop writes them, from a seed, without any sound."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import numpy as np
from django.utils import timezone

from evolution import runs
from evolution.models import Candidate, Evaluation, Generation, Recording, Round
from evolution.takes import Take
from listening import listeners, playlists, profiles
from listening.models import Listener, Playlist, PlaylistTrack, Rating, TasteSnapshot, Track

LAYERS, DIM = 8, 64
"""Of the spectral encoder."""


def evaluation(key: str, *, seed: int) -> Evaluation:
    """Something that was heard: the mean song of the aligner's world, and its own noise."""
    aligner = profiles.aligner()
    noise = np.random.default_rng(seed).standard_normal((LAYERS, DIM)).astype(np.float32)
    embedding = aligner.feature_mean.numpy() + aligner.feature_scale.numpy() * noise
    return Evaluation.objects.create(
        key=key, embedding=embedding.astype("<f4").tobytes(), layers=LAYERS, dim=DIM, artefacts=[0.0] * 5
    )


def make_round(
    listener: Listener, number: int, prompts: Sequence[str], *, ratings: int = 0, fitness: Sequence[float] = ()
) -> Round:
    """A round of one generation, with a candidate for each prompt, every one evaluated."""
    status = Round.Status.DONE
    round_ = Round.objects.create(run=listener.run, number=number, status=status, generations_planned=1)
    TasteSnapshot.objects.create(
        listener=listener,
        round=round_,
        learner="bayes",
        embedding=np.random.default_rng(listener.pk).standard_normal(32).tolist(),
        ratings=ratings,
        seconds=0.1,
        created_at=timezone.now(),
    )
    generation = Generation.objects.create(round=round_, number=1, best=0, mean=0, median=0, worst=0, seconds=1.0)
    for position, prompt in enumerate(prompts):
        seed = 1000 * number + position
        key = Take(prompt, seed, 4.0).key(runs.instruments(listener.run))
        heard = Evaluation.objects.filter(key=key).first() or evaluation(key, seed=seed + 7919 * listener.pk)
        score = fitness[position] if fitness else 1.0 - position / 100
        Candidate.objects.create(
            generation=generation,
            position=position,
            prompt=prompt,
            genome=prompt,
            seed=seed,
            evaluation=heard,
            fitness=score,
            likeness=score,
            artefacts=0.0,
        )
    return round_


def play(listener: Listener, round_: Round, *, tracks: int = 2, role: str = PlaylistTrack.Role.EVOLVED) -> list[Track]:
    """The round's playlist: its first candidates, recorded."""
    number = playlists.next_number(listener)
    playlist = Playlist.objects.create(listener=listener, round=round_, number=number)
    chosen = Candidate.objects.filter(generation__round=round_).order_by("position")[:tracks]
    return [_track(playlist, candidate, role) for candidate in chosen]


def _track(playlist: Playlist, candidate: Candidate, role: str) -> Track:
    key = uuid.uuid4().hex
    recording = Recording.objects.create(
        key=key,
        evaluation=evaluation(key, seed=candidate.seed + 1),
        file=f"recordings/{key}.mp3",
        seconds=12.0,
        loudness=-16.0,
        peaks=[0.5],
    )
    track = Track.objects.create(
        listener=playlist.listener,
        recording=recording,
        candidate=candidate,
        title=candidate.prompt,
        prompt=candidate.prompt,
        embedding=[1.0, 0.0],
    )
    PlaylistTrack.objects.create(
        playlist=playlist, track=track, position=candidate.position, role=role, predicted=0.1, uncertainty=0.2
    )
    return track


def rate(track: Track, value: int, *, never: bool = False) -> None:
    """What the listener says of a track now."""
    Rating.objects.create(
        id=uuid.uuid4(),
        listener=track.listener,
        track=track,
        value=value,
        never=never,
        seconds=1.0,
        given_at=timezone.now(),
    )


def proved_listener(settings: object) -> Listener:
    """A person of an experiment that wants proof."""
    settings.LISTENING_CONFIGURATION = {"user_model": {"proof": True}}  # type: ignore[attr-defined]
    return listeners.make_guest()


def prompts(found: Sequence[Candidate]) -> list[str]:
    """What candidates say."""
    return [one.prompt for one in found]
