"""How a player makes sound of items and stores what was heard. Knows no listener and no queue."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from django.core.files.base import ContentFile
from django.db import transaction
from torch import Tensor

from evolution import genomes, keeping
from evolution.models import Evaluation, Recording
from evolution.takes import Instruments
from models_store import artefacts, audio, catalog
from models_store.audio import Audio
from models_store.encoders.base import AudioEncoder
from models_store.evaluation import Evaluations, hear, play
from models_store.generators.base import Genomes, MusicGenerator

logger = logging.getLogger(__name__)

PEAKS = 200
PLAIN_PROMPT = "music"
WINDOWS_AT_ONCE = 16
LOUDNESS_TARGET = -16.0  # LUFS; what streaming services play music at, near enough

Chunk = dict[str, Any]
"""What items are played with: {"instruments", "seconds"}."""


def evaluate(chunk: Chunk, items: Sequence[Chunk]) -> None:
    """Play every item {"key", "genome", "seed"} and store what was heard."""
    started = time.monotonic()
    heard = _heard(chunk, items)
    seconds = (time.monotonic() - started) / len(items)
    Evaluation.objects.bulk_create(_evaluation_rows(items, heard, seconds=seconds), ignore_conflicts=True)


def _stack(items: Sequence[Chunk]) -> Genomes:
    decoded = [genomes.from_json(item["genome"]) for item in items]
    texts = [genome for genome in decoded if isinstance(genome, str)]
    if len(texts) == len(decoded):
        return texts
    return torch.from_numpy(np.stack([genome for genome in decoded if not isinstance(genome, str)]))


def _seeds(items: Sequence[Chunk]) -> list[int]:
    return [int(item["seed"]) for item in items]


def _generator(chunk: Chunk) -> MusicGenerator:
    wanted = Instruments(**chunk["instruments"])
    return catalog.generator(wanted.generator, device=_device(wanted.device), **wanted.parameters)


def _encoder(chunk: Chunk) -> AudioEncoder:
    wanted = Instruments(**chunk["instruments"])
    return catalog.encoder(wanted.encoder, device=_device(wanted.encoder_device), **wanted.encoder_parameters)


def _device(wanted: str | None) -> str | None:
    """A player that sees one GPU alone knows it by no number."""
    alone = torch.cuda.device_count() == 1
    return "cuda" if wanted is not None and wanted.startswith("cuda:") and alone else wanted


def _play(chunk: Chunk, items: Sequence[Chunk]) -> Evaluations:
    return play(
        _generator(chunk),
        _encoder(chunk),
        _stack(items),
        seconds=chunk["seconds"],
        seeds=_seeds(items),
    )


def _heard(chunk: Chunk, items: Sequence[Chunk]) -> Evaluations:
    """What was heard; a genome that cannot be played takes no other with it: what is refused is halved."""
    try:
        return _play(chunk, items)
    except ValueError:
        if len(items) == 1:
            return _play_or_refuse(chunk, items[0])
    middle = len(items) // 2
    return _together([_heard(chunk, items[:middle]), _heard(chunk, items[middle:])])


def _play_or_refuse(chunk: Chunk, item: Chunk) -> Evaluations:
    """What was heard; of a genome that the generator refuses: nothing, with every fault, which scores the worst.

    Raises ValueError when it is not the genome that is refused: when a plain prompt is refused as well.
    """
    try:
        return _play(chunk, [item])
    except ValueError as refusal:
        if not isinstance(item["genome"], str) or "text" not in _generator(chunk).genome_kinds:
            raise
        plain = _play(chunk, [{**item, "genome": PLAIN_PROMPT}])
        logger.info("a genome was refused, as %s", type(refusal).__name__, extra={"event": "refused"})
        return Evaluations(torch.zeros_like(plain.embeddings), torch.ones_like(plain.artefacts))


def _together(heard: Sequence[Evaluations]) -> Evaluations:
    return Evaluations(
        torch.cat([one.embeddings for one in heard]),
        torch.cat([one.artefacts for one in heard]),
    )


def hear_files(chunk: Chunk, items: Sequence[Chunk]) -> None:
    """Store a file {"key", "file"} as the mean of its windows, each as long as a candidate: embeddings and faults."""
    encoder = _encoder(chunk)
    for item in items:
        started = time.monotonic()
        windows = audio.windows(audio.read(Path(item["file"])), seconds=chunk["seconds"])
        heard = _together(
            [
                hear(encoder, batch)
                for batch in (
                    Audio(windows.samples[start : start + WINDOWS_AT_ONCE], windows.sample_rate)
                    for start in range(0, len(windows.samples), WINDOWS_AT_ONCE)
                )
            ]
        )
        mean = Evaluations(heard.embeddings.mean(dim=0, keepdim=True), heard.artefacts.mean(dim=0, keepdim=True))
        rows = _evaluation_rows([item], mean, seconds=time.monotonic() - started)
        Evaluation.objects.bulk_create(rows, ignore_conflicts=True)


def _evaluation_rows(items: Sequence[Chunk], heard: Evaluations, *, seconds: float) -> list[Evaluation]:
    layers, dim = heard.embeddings.shape[1:]
    return [
        Evaluation(
            key=item["key"],
            embedding=_bytes(heard.embeddings[position]),
            layers=layers,
            dim=dim,
            artefacts=heard.artefacts[position].tolist(),
            seconds=seconds,
        )
        for position, item in enumerate(items)
    ]


def _bytes(embedding: Tensor) -> bytes:
    return embedding.cpu().numpy().astype("<f4").tobytes()


def record(chunk: Chunk, items: Sequence[Chunk]) -> None:
    """Render for people and store it: the embedding is of what is played, after the loudness was set."""
    started = time.monotonic()
    raw = _generator(chunk).generate(_stack(items), seconds=chunk["seconds"], seeds=_seeds(items))
    faults = artefacts.measure(raw)  # before the loudness is set: a limiter must not hide them
    sound = audio.normalise_loudness(raw, target_lufs=LOUDNESS_TARGET)
    heard = Evaluations(embeddings=_encoder(chunk).encode(sound), artefacts=faults)
    outlines, levels = audio.peaks(sound, bins=PEAKS).tolist(), audio.loudness(sound)
    rows = _evaluation_rows(items, heard, seconds=(time.monotonic() - started) / len(items))
    for position, item in enumerate(items):
        name = f"{item['key']}.{audio.FORMAT}"
        content = ContentFile(audio.encode(Audio(sound.samples[position : position + 1], sound.sample_rate)), name)
        recording = Recording(
            key=item["key"],
            evaluation=rows[position],
            seconds=sound.seconds,
            loudness=float(levels[position]),
            peaks=[round(level, 3) for level in outlines[position]],
        )
        with transaction.atomic():
            Evaluation.objects.bulk_create([rows[position]], ignore_conflicts=True)
            keeping.keep(recording, name, content)
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
