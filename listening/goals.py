"""What a run's search looks for: a reference user's taste, a piece of music, or the taste that is learned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from evolution import evaluation, generations, runs, selectors, targets
from evolution.models import Round
from evolution.search.fitness import Likeness, SongLikeness
from listening import profiles
from listening.models import Listener, TasteSnapshot
from models_store.taste.base import Taste
from models_store.taste.comparison import compare


def sought(listener: Listener, learned: Taste, *, on_wait: Callable[[str], None] | None = None) -> Likeness:
    """Whoever judges the candidates of this listener's run.

    Raises ValueError when a person's run seeks a reference user, and evolution.targets.TargetError for a bad target.
    """
    configuration = runs.configuration(listener.run)
    match configuration.evolution.fitness.mode:
        case "dynamic":
            return learned
        case "user":
            return profiles.reference(listener)
        case "music":
            path = Path(configuration.evolution.fitness.target_music or "")
            targets.check(path)
            sound = targets.sound_file(path, window=configuration.evolution.duration)
            heard = evaluation.hear(sound, runs.instruments(listener.run), on_wait=on_wait)
            return SongLikeness(profiles.aligner_of(listener), generations.heard([heard]).embeddings[0])


def measure(listener: Listener, round_: Round, learned: Taste) -> None:
    """Note, on what the round generated, how well the taste was learned: see `figures`."""
    heard = generations.heard([one.evaluation for one in selectors.candidates(round_) if one.evaluation is not None])
    snapshot = TasteSnapshot.objects.get(round=round_)
    snapshot.figures |= figures(listener, learned, heard.embeddings)
    snapshot.save(update_fields=["figures"])


def figures(listener: Listener, learned: Taste, embeddings: torch.Tensor) -> dict[str, float]:
    """The learned taste on songs [N, layers, dim]: the spread of its scores and, of a synthetic listener, its truth.

    For the keys of the latter see `models_store.taste.comparison.compare`.
    """
    known = {"spread": float(torch.std(learned.likeness(embeddings)[0], correction=0))}
    if listener.reference_user is not None:
        known |= compare(learned, profiles.reference(listener), embeddings)
    return known
