"""What a playlist holds, unmarked, that was not evolved for its listener: a control, and now and then a repeat.

From the ratings of controls it is told whether what is evolved is liked more than what is not; from repeats how a
listener agrees with themselves (`listening.proofs`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from django.db.models import Exists, OuterRef, Q, QuerySet
from torch.nn.functional import cosine_similarity

from evolution import generations, runs
from evolution.models import Round
from evolution.takes import Take
from listening import archive, picks, profiles, selectors
from listening.models import Listener, Playlist, PlaylistTrack, TasteSnapshot, Track
from listening.picks import Pick, Role
from models_store import catalog, prompts, seeding
from models_store.taste import curation

SHORTEST = 5
"""Tracks of a playlist with a control: in a shorter one too much would not be the listener's own."""

ONE_REPEAT_IN = 3
"""Playlists: one of so many, by chance, holds a repeat."""

MOST_STRANGERS = 20
"""Listeners whose taste is looked at to find somebody whose control it may be."""

ALIKE = 0.9
"""Cosine of two tastes above which music evolved for the one was evolved for the other too."""


def due(listener: Listener, round_: Round, *, length: int) -> bool:
    """Whether a playlist of this length shall hold a control.

    Not where the run wants no proof, nor before anything was learned from ratings: the first playlist is not evolved.
    """
    if not runs.configuration(listener.run).user_model.proof or length < SHORTEST:
        return False
    return TasteSnapshot.objects.filter(round=round_, ratings__gt=0).exists()


def repeat(listener: Listener, *, number: int) -> Pick | None:
    """One in `ONE_REPEAT_IN` playlists: a track that was liked or disliked, at the earliest two playlists ago.

    Not one that was forgotten or shall never come again, nor one that was repeated already.
    """
    rng = random.Random(seeding.derive(listener.run.seed, "repeat", number))
    if rng.random() >= 1.0 / ONE_REPEAT_IN:
        return None
    tracks = Track.objects.filter(listener=listener, place__playlist__number__lt=number - 1, forgotten_at=None)
    once = tracks.filter(repeats=None, repetitions=None).exclude(pk__in=archive.never_again([listener]).values("pk"))
    rated = selectors.with_opinion(once).filter(Q(opinion__in=[-1, 1]))
    found = list(
        rated.select_related("recording__evaluation", "candidate__evaluation").order_by(
            "place__playlist__number", "place__position"
        )
    )
    if not found:
        return None
    chosen = rng.choice(found)
    return picks.of_track(chosen, role=Role.REPEAT, repeats=chosen)


def mix(own: Sequence[Pick], others: Sequence[Pick], *, seed: int) -> list[Pick]:
    """All of them in an order that says nothing of why a track is there: any order is as likely as any other."""
    mixed = [*own, *others]
    if others:
        random.Random(seed).shuffle(mixed)
    return mixed


def control(listener: Listener, round_: Round, *, beside: Sequence[Pick] = ()) -> Pick:
    """A track that was evolved for somebody else; where there is none, music from a random prompt.

    For a synthetic listener always the latter: what else is in the database must not change what a seed gives.

    beside: what else the playlist holds, of which it is no near copy, any more than of what was heard or is unwanted.
    """
    rng = random.Random(seeding.derive(listener.run.seed, "control track", round_.number))
    for stranger in [] if listener.reference_user is not None else _strangers(listener, round_, rng):
        tracks = _apart(list(_evolved(stranger, listener, round_)), listener, beside)
        if tracks:
            return picks.of_track(rng.choice(tracks), role=Role.CONTROL)
    return _at_random(listener, rng)


def _strangers(listener: Listener, round_: Round, rng: random.Random) -> list[Listener]:
    """Others for whom music was evolved as it is for the listener, in random order: only those of another taste.

    Which of them is chance alone: the least alike would make the comparison look better than it is.
    """
    there = _there(round_).filter(listener=OuterRef("pk"))
    others = Listener.objects.filter(Exists(there), run__experiment=listener.run.experiment_id).exclude(pk=listener.pk)
    keys = list(others.order_by("pk").values_list("pk", flat=True))
    chosen = rng.sample(keys, k=min(len(keys), MOST_STRANGERS))
    own = _taste(listener.pk, round_)
    different = [key for key in chosen if _alike(own, _taste(key, round_)) < ALIKE]
    found = Listener.objects.select_related("run").in_bulk(different)
    return [found[key] for key in different if key in found]


def _there(round_: Round) -> QuerySet[Playlist]:
    """Playlists that were made of music evolved by a learned taste, when this round was asked for."""
    evolved = PlaylistTrack.objects.filter(playlist=OuterRef("pk"), role=Role.EVOLVED)
    return Playlist.objects.filter(Exists(evolved), round__isnull=False, made_at__lt=round_.requested_at)


def _evolved(stranger: Listener, listener: Listener, round_: Round) -> QuerySet[Track]:
    """What was evolved for the stranger in their latest playlist, and would be new to the listener."""
    latest = _there(round_).filter(listener=stranger).order_by("-number").values("pk")[:1]
    tracks = Track.objects.filter(place__playlist__in=latest, place__role=Role.EVOLVED)
    heard = Track.objects.filter(listener=listener)
    banned = archive.never_again([listener]).values("prompt")
    return (
        tracks.exclude(recording__in=heard.values("recording"))
        .exclude(prompt__in=banned)
        .select_related("recording__evaluation", "candidate__evaluation")
        .order_by("place__position")
    )


def _apart(tracks: list[Track], listener: Listener, beside: Sequence[Pick]) -> list[Track]:
    """Those that are no near copies of what the listener has heard or of what the playlist holds."""
    if not tracks:
        return []
    model = profiles.aligner_of(listener)
    known = archive.unwanted([listener], beside=picks.evaluations(beside))
    sounds = model.standardise(generations.heard([archive.sound(one) for one in tracks]).embeddings)
    free = curation.apart(
        sounds, None if known is None else model.standardise(known), scale=curation.unrelated(model)
    ).tolist()
    return [track for track, is_free in zip(tracks, free, strict=True) if is_free]


def _taste(listener_id: int, round_: Round) -> torch.Tensor | None:
    """Where the taste lay when the round was asked for."""
    known = Q(listener=listener_id) & (Q(round=round_) | Q(created_at__lt=round_.requested_at))
    kept = TasteSnapshot.objects.filter(known).order_by("-round__number").only("embedding").first()
    return None if kept is None else torch.tensor(kept.embedding, dtype=torch.float32)


def _alike(first: torch.Tensor | None, second: torch.Tensor | None) -> float:
    """The cosine of two tastes; 0 for what cannot be compared."""
    if first is None or second is None or first.shape != second.shape:
        return 0.0
    return float(cosine_similarity(first, second, dim=0))


def _at_random(listener: Listener, rng: random.Random) -> Pick:
    configuration = runs.configuration(listener.run)
    prompt = prompts.draw(catalog.lexicon(configuration.music_model), rng).text()
    space = generations.prompt_space(configuration)
    genome = prompt if space is None else space.embed([prompt], length=configuration.evolution.max_seq_len)[0].numpy()
    take = Take(genome=genome, seed=rng.getrandbits(31), seconds=configuration.evolution.best_duration)
    return Pick(role=Role.CONTROL, prompt=prompt, take=take)
