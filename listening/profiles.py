"""From feedback to taste: what a listener said becomes a taste, kept as a snapshot per round."""

from __future__ import annotations

import time
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import torch
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from evolution import generations, runs
from evolution.config import Configuration, UserModel
from evolution.models import Round
from evolution.takes import Instruments
from listening import selectors
from listening.models import Listener, TasteSnapshot, Track
from models_store import seeding
from models_store.aligner import shipped
from models_store.aligner.model import AlignerV2
from models_store.taste.base import Taste, mean_taste, reference_taste
from models_store.taste.infonce import InfoNCE, InfoNCEConfig
from models_store.taste.memory import Memory

MINIBATCH = 8
"""Ratings per step when the configuration asks for minibatches."""


@lru_cache(maxsize=4)
def aligner(path: Path | None = None, *, encoder: str = Instruments().encoder) -> AlignerV2:
    """The aligner of a checkpoint, loaded once per process; None: the shipped one for this encoder."""
    return shipped.load_for(encoder) if path is None else shipped.load(path)


def aligner_of(listener: Listener) -> AlignerV2:
    """The aligner that the listener's run is configured with."""
    return configured_aligner(runs.configuration(listener.run))


def configured_aligner(configuration: Configuration) -> AlignerV2:
    """The aligner that a configuration asks for. Raises ValueError for one that is not there or not ours."""
    path = configuration.user_model.aligner.abs_file_path
    return aligner(Path(settings.BASE_DIR, path)) if path else aligner(encoder=configuration.music_encoder)


def memory(listener: Listener, *, rounds: int, until: datetime) -> Memory:
    """The ratings of the last `rounds` rounds in which something was rated, as they stood at the moment `until`."""
    rated = (
        selectors.with_opinion(Track.objects.filter(listener=listener), until=until)
        .filter(Q(opinion__in=[-1, 1]))
        .select_related("recording__evaluation", "place__playlist")
        .order_by("place__playlist__number", "place__position")
    )
    tracks = list(rated)
    if not tracks:
        config = aligner_of(listener).config
        return Memory.empty(layers=config.layers, dim=config.dim)
    heard = generations.heard([track.recording.evaluation for track in tracks])
    opinions = [track.opinion or 0 for track in tracks]
    return Memory.of(heard.embeddings, opinions, [track.place.playlist.number for track in tracks]).last(rounds)


def learn(listener: Listener, round_: Round) -> Taste:
    """Learn the listener's taste for a round and keep it.

    A round that has one already gives that one again, whatever was rated since: a repeated round is the same round.
    """
    model = aligner_of(listener)
    kept = TasteSnapshot.objects.filter(round=round_).first()
    configuration = runs.configuration(listener.run)
    how = configuration.user_model
    moment = kept.created_at if kept is not None else timezone.now()
    known = memory(listener, rounds=how.user_conf.memory_length, until=moment)
    seed = seeding.derive(listener.run.seed, "taste", round_.number)
    learner = InfoNCE(model, _learner_config(how))
    started = time.monotonic()
    taste = learner.learn(known, seed=seed) if len(known) else mean_taste(model)
    if kept is not None:
        return Taste(model, torch.tensor(kept.embedding, dtype=torch.float32), alternatives=taste.alternatives)
    TasteSnapshot.objects.create(
        listener=listener,
        round=round_,
        learner=how.train_conf.learner,
        embedding=taste.user.tolist(),
        ratings=len(known),
        seconds=time.monotonic() - started,
        figures={"loss": learner.loss(taste, known)},
        created_at=moment,
    )
    return taste


def reference(listener: Listener) -> Taste:
    """The true taste of a synthetic listener. Raises ValueError for a person."""
    if listener.reference_user is None:
        raise ValueError(f"{listener}: expected a synthetic listener, got a person, whose true taste nobody knows")
    return reference_taste(aligner_of(listener), listener.reference_user)


def _learner_config(how: UserModel) -> InfoNCEConfig:
    """The configuration's user_conf and train_conf as the learner knows them."""
    return InfoNCEConfig(
        init=how.user_conf.init,
        rmean=how.user_conf.rmean,
        minibatch=MINIBATCH if how.user_conf.minibatch else None,
        lr=how.train_conf.lr,
        epochs=how.train_conf.epochs,
    )
