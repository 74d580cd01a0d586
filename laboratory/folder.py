"""The folder that `evolve` leaves: result files of a run, each whole at any moment, however the command ends."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from django.utils.text import slugify

from evolution import evaluation, generations, genomes, runs
from evolution.models import Candidate, Generation, Run
from evolution.takes import Take
from laboratory import plots, results
from listening import profiles
from listening.models import Listener, PlaylistTrack, TasteSnapshot
from models_store.taste.base import EmbeddingTaste, Taste

PLAYLIST = "playlist.m3u8"
LONGEST_NAME = 60


def write(file: Path, content: str) -> None:
    """Write a text file, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}.draft")
    draft.write_text(content, encoding="utf-8", newline="\n")
    draft.replace(file)


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """The same as JSON that people can read."""
    write(file, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def keep_tables(run: Run, folder: Path) -> None:
    """config.yaml, history.csv, candidates.csv and result.json, as they stand now."""
    if not (folder / "config.yaml").exists():
        write(folder / "config.yaml", results.configuration_yaml(run))
    write(folder / "history.csv", results.as_csv(results.history_rows(run), results.HISTORY))
    write(folder / "candidates.csv", results.as_csv(results.candidate_rows(run), results.CANDIDATES))
    write_json(folder / "result.json", results.result(run))


def keep_playlist(run: Run, folder: Path) -> None:
    """tracks/: the newest playlist's files and playlist.m3u8, which names them by relative paths."""
    places = results.last_playlist(run)
    if not places:
        return
    before = _listed(folder / PLAYLIST)
    lines, names = ["#EXTM3U"], []
    for place in places:
        name = _file_name(place)
        _copy(Path(place.track.recording.file.path), folder / name)
        lines += [f"#EXTINF:{round(place.track.recording.seconds)},{_one_line(place.track.title)}", name]
        names.append(name)
    write(folder / PLAYLIST, "\n".join(lines) + "\n")
    for name in before - set(names):
        (folder / name).unlink(missing_ok=True)


def keep_sounds(generation: Generation, folder: Path) -> None:
    """generated/: what was new in a generation, as files named by round, generation and position.

    Raises evolution.evaluation.PlayingError when one cannot be recorded.
    """
    run = generation.round.run
    seconds, instruments = runs.configuration(run).evolution.duration, runs.instruments(run)
    takes = {
        one.position: Take(genome=genomes.from_json(one.genome), seed=one.seed, seconds=seconds)
        for one in generation.candidates.filter(elite=False)
    }
    recorded = evaluation.record(list(takes.values()), instruments)
    for position, take in takes.items():
        source = Path(recorded[take.key(instruments)].file.path)
        _copy(source, folder / f"{generation.round.number:02d}-{generation.number:03d}-{position:03d}{source.suffix}")


def _copy(source: Path, file: Path) -> None:
    """Copy a file, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}.draft")
    shutil.copyfile(source, draft)
    draft.replace(file)


def _listed(playlist: Path) -> set[str]:
    """The files of a playlist that we wrote before."""
    if not playlist.exists():
        return set()
    lines = playlist.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#") and Path(line).name == line}


def _file_name(place: PlaylistTrack) -> str:
    """A name that every system takes: its place and the title's letters and digits."""
    title = slugify(place.track.title)[:LONGEST_NAME].strip("-") or "track"
    return f"{place.position + 1:02d}-{title}{Path(place.track.recording.file.path).suffix}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def draw(run: Run, folder: Path) -> dict[str, Path]:
    """plots/: fitness, its parts, the taste's learning, the taste map; gives name -> file of what could be drawn."""
    history = results.history_rows(run)
    if not history:
        return {}
    figures = {"fitness": plots.fitness(history), "likeness-and-artefacts": plots.parts(history)}
    learned = results.taste_figures(run)
    if learned:
        figures["taste-learning"] = plots.learning(learned)
    places = _map(run)
    if places is not None:
        figures["taste-map"] = plots.taste_map(*places)
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.png" for name in figures}
    for name, figure in figures.items():
        plots.save(figure, files[name])
    return files


def _map(run: Run) -> tuple[plots.Points, list[int], dict[str, plots.Points]] | None:
    """Projected songs of the run, the generation of each, and its listener's tastes; None for fewer than two songs."""
    listener = Listener.objects.select_related("run__experiment").filter(run=run).first()
    found = Candidate.objects.filter(generation__round__run=run, elite=False, evaluation__isnull=False)
    candidates = list(
        found.select_related("evaluation")
        .order_by("generation__round__number", "generation__number", "position")
        .defer("genome")
    )
    if listener is None or len(candidates) < 2:
        return None
    aligner = profiles.aligner_of(listener)
    heard = generations.heard([one.evaluation for one in candidates if one.evaluation is not None])
    songs = aligner.project_songs(heard.embeddings)
    numbers: dict[int, int] = {}
    steps = [numbers.setdefault(one.generation_id, len(numbers) + 1) for one in candidates]
    tastes = {name: taste.vector for name, taste in _tastes(listener).items()}
    as_points = {name: taste.detach().numpy().astype(np.float64) for name, taste in tastes.items()}
    return songs.detach().numpy().astype(np.float64), steps, as_points


def _tastes(listener: Listener) -> dict[str, Taste]:
    """The true taste, where it is known, and what was learned last."""
    tastes = {}
    if listener.reference_user is not None:
        tastes["true taste"] = profiles.reference(listener)
    latest = TasteSnapshot.objects.filter(listener=listener).order_by("-round__number").first()
    if latest is not None:
        embedding = torch.tensor(latest.embedding, dtype=torch.float32)
        tastes["learned taste"] = EmbeddingTaste(profiles.aligner_of(listener), embedding)
    return tastes
