"""The player's side: play a chunk, hear it, store what was heard. Knows no listener and keeps nothing."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from django.core.files.base import ContentFile
from django.db import transaction
from torch import Tensor

from evolution import broker, genomes, locks
from evolution.models import Evaluation, Recording
from evolution.takes import Instruments
from models_store import artefacts, audio, catalog, devices
from models_store.audio import Audio
from models_store.encoders.base import AudioEncoder
from models_store.evaluation import Evaluations, hear, play
from models_store.generators.base import Genomes, MusicGenerator

logger = logging.getLogger(__name__)

REPLY_SECONDS = 3600
PEAKS = 200
PLAIN_PROMPT = "music"
WINDOWS_AT_ONCE = 16
LOUDNESS_TARGET = -16.0  # LUFS; what streaming services play music at, near enough

Chunk = dict[str, Any]


def play_evaluations(chunk: Chunk) -> None:
    """Store the evaluation of every item of the chunk, and reply."""
    _answer(chunk, Evaluation, _evaluate)


def play_recordings(chunk: Chunk) -> None:
    """Store a recording of every item of the chunk, and reply."""
    _answer(chunk, Recording, _record)


def hear_files(chunk: Chunk) -> None:
    """Store the evaluation of every file of the chunk, and reply."""
    _answer(chunk, Evaluation, _hear)


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
        except devices.OutOfMemoryError as lack:
            error = f"{lack}; play shorter pieces, a smaller model, or on another device"
        except broker.SERVICES_LOST:
            raise  # no reply: the conductor sends the chunk again
        except Exception as failure:
            logger.exception("%s could not be played", chunk["name"])
            error = "the music could not be made, for a reason that is ours"
            if devices.is_lost(failure) and os.environ.get("EVOMUSIC_ROLE") == "player":
                logger.error("the GPU is lost to this process, which ends: whoever started it starts another")
                os.kill(os.getpid(), signal.SIGTERM)  # Celery ends after this task
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
    started = time.monotonic()
    heard = _heard(chunk, items)
    seconds = (time.monotonic() - started) / len(items)
    Evaluation.objects.bulk_create(_evaluation_rows(items, heard, seconds=seconds), ignore_conflicts=True)


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
        logger.info("the prompt %.80r was refused: %s", item["genome"], refusal)
        return Evaluations(torch.zeros_like(plain.embeddings), torch.ones_like(plain.artefacts))


def _together(heard: Sequence[Evaluations]) -> Evaluations:
    return Evaluations(
        torch.cat([one.embeddings for one in heard]),
        torch.cat([one.artefacts for one in heard]),
    )


def _hear(chunk: Chunk, items: Sequence[Chunk]) -> None:
    """A file as the mean of its windows, each as long as a candidate: embeddings and faults."""
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


def _record(chunk: Chunk, items: Sequence[Chunk]) -> None:
    """Render for people: the embedding is of what is played, after the loudness was set."""
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
