"""The player's side: play a chunk, hear it, store what was heard. Knows no listener and keeps nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from django.core.files.base import ContentFile
from django.db import transaction
from torch import Tensor

from evolution import broker, genomes, locks
from evolution.models import Evaluation, Recording
from evolution.takes import Instruments
from models_store import artefacts, audio, catalog
from models_store.audio import Audio
from models_store.evaluation import Evaluations, play
from models_store.generators.base import Genomes

logger = logging.getLogger(__name__)

REPLY_SECONDS = 3600
PEAKS = 200
LOUDNESS_TARGET = -16.0  # LUFS; what streaming services play music at, near enough

Chunk = dict[str, Any]


def play_evaluations(chunk: Chunk) -> None:
    """Store the evaluation of every item of the chunk, and reply."""
    _answer(chunk, Evaluation, _evaluate)


def play_recordings(chunk: Chunk) -> None:
    """Store a recording of every item of the chunk, and reply."""
    _answer(chunk, Recording, _record)


def _answer(chunk: Chunk, model: Any, play_items: Any) -> None:
    """Play what is not stored yet, unless another player is at it; a failure is a reply too."""
    with locks.claim(chunk["name"]) as mine:
        if not mine:
            return
        error = ""
        stored = model.objects.in_bulk([item["key"] for item in chunk["items"]])
        items = [item for item in chunk["items"] if item["key"] not in stored]
        try:
            if items:
                play_items(chunk, items)
        except ValueError as refusal:
            error = str(refusal)
        except broker.SERVICES_LOST:
            raise  # no reply: the conductor sends the chunk again
        except Exception:
            logger.exception("%s could not be played", chunk["name"])
            error = "the music could not be made, for a reason that is ours"
    _reply(chunk, error)


def _reply(chunk: Chunk, error: str) -> None:
    with broker.connect() as client:
        client.rpush(chunk["reply"], json.dumps({"chunk": chunk["name"], "error": error}))
        client.expire(chunk["reply"], REPLY_SECONDS)


def _stack(items: Sequence[Chunk]) -> Genomes:
    decoded = [genomes.from_json(item["genome"]) for item in items]
    texts = [genome for genome in decoded if isinstance(genome, str)]
    if len(texts) == len(decoded):
        return texts
    return torch.from_numpy(np.stack([genome for genome in decoded if not isinstance(genome, str)]))


def _seeds(items: Sequence[Chunk]) -> list[int]:
    return [int(item["seed"]) for item in items]


def _evaluate(chunk: Chunk, items: Sequence[Chunk]) -> None:
    instruments = chunk["instruments"]
    heard = play(
        catalog.generator(instruments["generator"], **instruments["parameters"]),
        catalog.encoder(instruments["encoder"]),
        _stack(items),
        seconds=chunk["seconds"],
        seeds=_seeds(items),
    )
    Evaluation.objects.bulk_create(_evaluation_rows(items, heard), ignore_conflicts=True)


def _evaluation_rows(items: Sequence[Chunk], heard: Evaluations) -> list[Evaluation]:
    layers, dim = heard.embeddings.shape[1:]
    return [
        Evaluation(
            key=item["key"],
            embedding=_bytes(heard.embeddings[position]),
            layers=layers,
            dim=dim,
            artefacts=heard.artefacts[position].tolist(),
        )
        for position, item in enumerate(items)
    ]


def _bytes(embedding: Tensor) -> bytes:
    return embedding.cpu().numpy().astype("<f4").tobytes()


def _record(chunk: Chunk, items: Sequence[Chunk]) -> None:
    """Render for people: the embedding is of what is played, after the loudness was set."""
    instruments = chunk["instruments"]
    generator = catalog.generator(instruments["generator"], **instruments["parameters"])
    raw = generator.generate(_stack(items), seconds=chunk["seconds"], seeds=_seeds(items))
    faults = artefacts.measure(raw)  # before the loudness is set: a limiter must not hide them
    sound = audio.normalise_loudness(raw, target_lufs=LOUDNESS_TARGET)
    heard = Evaluations(embeddings=catalog.encoder(instruments["encoder"]).encode(sound), artefacts=faults)
    outlines, levels = audio.peaks(sound, bins=PEAKS), audio.loudness(sound)
    rows = _evaluation_rows(items, heard)
    for position, item in enumerate(items):
        name = f"{item['key']}.{audio.FORMAT}"
        content = ContentFile(audio.encode(Audio(sound.samples[position : position + 1], sound.sample_rate)), name)
        recording = Recording(
            key=item["key"],
            evaluation=rows[position],
            seconds=sound.seconds,
            loudness=float(levels[position]),
            peaks=[round(float(level), 3) for level in outlines[position]],
        )
        with transaction.atomic():
            Evaluation.objects.bulk_create([rows[position]], ignore_conflicts=True)
            recording.file.save(name, content, save=False)
            Recording.objects.bulk_create([recording], ignore_conflicts=True)


def warm_up() -> None:
    """Load the embedded instruments and play a second, so that the first listener does not wait for it."""
    default = Instruments()
    play(
        catalog.generator(default.generator, **default.parameters),
        catalog.encoder(default.encoder),
        ["calm jazz with piano"],
        seconds=1.0,
        seeds=[0],
    )
