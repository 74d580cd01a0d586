"""What is believed of a listener's taste, in words and on a map, for their page. Made by the conductor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import torch
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from evolution import runs
from listening import events, evidence, profiles, queue, selectors
from listening.models import Listener, TasteEdit, TasteReport, Track
from models_store import catalog, prompts, seeding
from models_store.aligner import concept_words
from models_store.aligner.concepts import Concepts
from models_store.taste import beliefs
from models_store.taste.base import Taste
from models_store.taste.beliefs import Belief

SHOWN = 12
"""Beliefs with their evidence; the sliders show every concept."""
MOST_EVIDENCE = 4
FEW = 20
"""Ratings below which only what is rather sure is told."""
DIGITS = 4
PATIENCE = timedelta(seconds=20)
MOST_AT_ONCE = 100


def make(listener_id: int) -> None:
    """Read the taste as it is now, keep the report and tell the page. The one that was begun last stays."""
    listener = Listener.objects.select_related("run__experiment").filter(pk=listener_id).first()
    if listener is None:  # deleted since
        return
    began = timezone.now()
    content = read(listener)
    with transaction.atomic():
        kept, _ = TasteReport.objects.select_for_update().get_or_create(
            listener=listener, defaults={"made_at": datetime.min.replace(tzinfo=UTC)}
        )
        if kept.made_at > began:
            return
        kept.content, kept.made_at = content, began
        kept.save(update_fields=["content", "made_at"])
    events.taste_ready(listener)


def resume_lost() -> None:
    """Ask again for the reports that were asked for a while ago and have not come: the broker may have been down."""
    late = timezone.now() - PATIENCE
    lost = TasteReport.objects.filter(wanted_at__gt=F("made_at"), wanted_at__lt=late)
    for listener_id in lost.values_list("listener_id", flat=True)[:MOST_AT_ONCE]:
        queue.enqueue_report(listener_id)


def read(listener: Listener) -> dict[str, Any]:
    """The report's content (its keys are those of `TasteReport.content`), from everything said until now."""
    moment = evidence.moment(listener)
    model, concepts = profiles.aligner_of(listener), profiles.concepts_of(listener)
    heard = evidence.tracks(listener, until=moment)
    memory = evidence.memory(heard, model, edits=evidence.edits(listener, concepts, until=moment))
    learner = profiles.learner_of(listener)
    seed = seeding.derive(listener.run.seed, "report")
    taste = learner.learn(memory, seed=seed)
    content: dict[str, Any] = {
        "ratings": sum(1 for track in heard if getattr(track, "opinion", None)),
        "learner": learner.name,
        "beliefs": [],
        "concepts": [],
        "landscape": [],
    }
    if concepts is None:
        return content
    said = _said(listener, heard)
    found = beliefs.read(taste, memory, concepts, seed=seed, said=said) if content["ratings"] else []
    sure = beliefs.SURE if content["ratings"] < FEW else 0.0
    leanings = beliefs.leanings(taste, concepts, seed=seed, memory=memory, said=said)
    return content | {
        "beliefs": [_belief(one, heard) for one in found if one.evidence and one.sure >= sure][:SHOWN],
        "concepts": _concepts(leanings, selectors.wishes(listener, until=moment)),
        "landscape": _landscape(taste, concepts),
    }


def _said(listener: Listener, heard: Sequence[Track]) -> list[frozenset[str]]:
    """The concepts that the prompt of each track names."""
    lexicon = catalog.lexicon(runs.configuration(listener.run).music_model)
    return [concept_words.said(prompts.parse(track.prompt, lexicon)) for track in heard]


def _belief(one: Belief, heard: Sequence[Track]) -> dict[str, Any]:
    told = [str(heard[index].pk) for index in one.evidence[:MOST_EVIDENCE]]
    return _leaning(one) | {"evidence": told}


def _leaning(one: Belief) -> dict[str, Any]:
    numbers = {"lean": one.lean, "spread": one.spread, "sure": one.sure}
    return {"name": one.name, "slot": one.slot} | {name: round(value, DIGITS) for name, value in numbers.items()}


def _concepts(leanings: Sequence[Belief], wishes: Sequence[TasteEdit]) -> list[dict[str, Any]]:
    """Every concept: what is believed of it and what was asked for."""
    asked = {wish.concept: wish for wish in wishes}
    return [_leaning(one) | {"edit": _edit(asked[one.name]) if one.name in asked else None} for one in leanings]


def _edit(wish: TasteEdit) -> dict[str, Any]:
    return {"kind": wish.kind, "wanted": wish.wanted, "until": wish.until.isoformat() if wish.until else None}


def _landscape(taste: Taste, concepts: Concepts) -> list[list[float]]:
    """Ordinary songs on the map, and how much each is liked: [x, y, likeness]."""
    places, likeness = concepts.place(concepts.embeddings), taste.likeness(concepts.embeddings)[0]
    points = torch.cat([places, likeness[:, None]], dim=1).tolist()  # [S, 3]
    return [[round(value, DIGITS) for value in point] for point in points]
