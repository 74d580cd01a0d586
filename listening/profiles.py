"""From feedback to taste: what a listener said becomes a taste, kept as a snapshot per round."""

from __future__ import annotations

import time
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import torch
from django.conf import settings

from evolution import runs
from evolution.config import Configuration, UserModel
from evolution.models import Round
from evolution.takes import Instruments
from listening import evidence
from listening.models import Listener, TasteSnapshot
from models_store import checkpoints, seeding
from models_store.aligner import shipped
from models_store.aligner.concepts import Concepts
from models_store.aligner.model import AlignerV2
from models_store.taste.base import EmbeddingTaste, Taste, TasteLearner, mean_taste, reference_taste
from models_store.taste.bayes import Bayes
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


def concepts_of(listener: Listener) -> Concepts | None:
    """The words in which the listener's taste can be told; None where none lie beside the aligner."""
    configuration = runs.configuration(listener.run)
    given = configuration.user_model.aligner.abs_file_path
    beside = Path(settings.BASE_DIR, given) if given else shipped.FOLDER / f"{configuration.music_encoder}.pt"
    return _concepts(shipped.concepts_beside(beside))


def learner_of(listener: Listener) -> TasteLearner:
    """Who learns the listener's taste, as their run is configured."""
    how, model = runs.configuration(listener.run).user_model, aligner_of(listener)
    match how.train_conf.learner:
        case "bayes":
            return Bayes(model)
        case "infonce":
            return InfoNCE(model, _infonce(how))


def memory(listener: Listener, *, until: datetime) -> Memory:
    """What the taste is learned from, as it stood at the moment `until`: see `evidence`."""
    how = runs.configuration(listener.run).user_model.user_conf
    asked = evidence.edits(listener, concepts_of(listener), until=until)
    heard = evidence.tracks(listener, until=until)
    return evidence.memory(heard, aligner_of(listener), rounds=how.memory_length, edits=asked)


def learn(listener: Listener, round_: Round) -> Taste:
    """Learn the listener's taste for a round and keep it.

    A round that has one already gives that one again, whatever was rated since: a repeated round is the same round.
    """
    learner = learner_of(listener)
    kept = TasteSnapshot.objects.filter(round=round_).first()
    if kept is not None:
        return _restored(kept, learner)
    moment = evidence.moment(listener)
    known = memory(listener, until=moment)
    started = time.monotonic()
    taste = _learned(learner, known, seed=seeding.derive(listener.run.seed, "taste", round_.number))
    TasteSnapshot.objects.create(
        listener=listener,
        round=round_,
        learner=learner.name,
        embedding=(taste.user if isinstance(taste, EmbeddingTaste) else taste.vector).tolist(),
        state=checkpoints.to_bytes(taste.state()),
        ratings=int((known.weights >= 1.0).sum()),
        seconds=time.monotonic() - started,
        figures={"loss": learner.loss(taste, known)},
        created_at=moment,
    )
    return taste


def current_taste(listener: Listener) -> Taste:
    """The taste as it was learned last; before anything was learned, what is believed of anybody."""
    learner = learner_of(listener)
    kept = TasteSnapshot.objects.filter(listener=listener).order_by("-round__number").first()
    if kept is not None:
        return _restored(kept, learner)
    config = learner.aligner.config
    return _learned(learner, Memory.empty(layers=config.layers, dim=config.dim), seed=0)


def reference(listener: Listener) -> Taste:
    """The true taste of a synthetic listener. Raises ValueError for a person."""
    if listener.reference_user is None:
        raise ValueError(f"{listener}: expected a synthetic listener, got a person, whose true taste nobody knows")
    return reference_taste(aligner_of(listener), listener.reference_user)


def _learned(learner: TasteLearner, known: Memory, *, seed: int) -> Taste:
    """What is learned from `known`. From nothing infonce has only its start: then it may be any reference listener."""
    if isinstance(learner, InfoNCE) and not len(known) and not known.edits:
        return mean_taste(learner.aligner)
    return learner.learn(known, seed=seed)


def _restored(kept: TasteSnapshot, learner: TasteLearner) -> Taste:
    """The taste of a snapshot; of one from before whole beliefs were kept, its embedding alone."""
    if not kept.state:
        return EmbeddingTaste(learner.aligner, torch.tensor(kept.embedding, dtype=torch.float32))
    return learner.restore(checkpoints.from_bytes(bytes(kept.state)))


@lru_cache(maxsize=4)
def _concepts(path: Path) -> Concepts | None:
    return Concepts.load(path) if path.is_file() else None


def _infonce(how: UserModel) -> InfoNCEConfig:
    """The configuration's user_conf and train_conf as the learner knows them."""
    return InfoNCEConfig(
        init=how.user_conf.init,
        rmean=how.user_conf.rmean,
        minibatch=MINIBATCH if how.user_conf.minibatch else None,
        lr=how.train_conf.lr,
        epochs=how.train_conf.epochs,
    )
