"""From a generation to a playlist: choose, record, keep."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence

import torch
from django.db import transaction

from evolution import evaluation, generations, genomes, runs
from evolution import selectors as search
from evolution.models import Candidate, Recording, Round
from evolution.search.fitness import Likeness
from evolution.takes import Take
from listening.models import Listener, Playlist, PlaylistTrack, TasteSnapshot, Track
from models_store import artefacts, catalog, prompts, seeding
from models_store.evaluation import Evaluations
from models_store.taste import curation
from models_store.taste.base import Taste

LONGEST_TITLE = 60
NUMBERED = ", no. "
KEY = re.compile(r"[a-g]( flat| sharp)? (major|minor)")
DIVERSITY = 0.45
"""How much a playlist's variety weighs beside likeness, in [0, 1]."""
KEPT_VARIETY = 0.75
"""A playlist's variety, as a share of the listener's first playlist's, that curation holds to where it can."""
MOST_FAULTS = 0.3
"""Artefacts of a track that may introduce the system to somebody."""


def compose(
    listener: Listener,
    round_: Round,
    taste: Taste,
    *,
    sought: Likeness | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Playlist:
    """The round's playlist; a round that has one already gives that one again.

    taste: what is believed of the listener, which the tracks' predictions come from.
    sought: whoever judges the candidates; None: the taste.
    Raises evolution.evaluation.PlayingError when a track cannot be recorded.
    """
    made = Playlist.objects.filter(round=round_).first()
    if made is not None:
        return made
    candidates = _choose(listener, round_, taste, taste if sought is None else sought)
    configuration = runs.configuration(listener.run)
    instruments = runs.instruments(listener.run)
    takes = [
        Take(genome=genomes.from_json(one.genome), seed=one.seed, seconds=configuration.evolution.best_duration)
        for one in candidates
    ]
    recorded = evaluation.record(takes, instruments, on_wait=on_wait)
    recordings = [recorded[take.key(instruments)] for take in takes]
    return _keep(listener, round_, taste, candidates, recordings)


def _choose(listener: Listener, round_: Round, taste: Taste, sought: Likeness) -> list[Candidate]:
    """The candidates of the round that make its playlist; nothing that was heard already, if there is anything else."""
    user_model = runs.configuration(listener.run).user_model
    count, seed = user_model.best_solutions, seeding.derive(listener.run.seed, "playlist", round_.number)
    played = _played(listener)
    candidates = search.candidates(round_)
    fresh = [one for one in candidates if one.evaluation_id not in played]
    # A search that has come to rest finds nothing new any more: better to hear its best again than nothing.
    pool = _one_per_prompt(fresh or candidates, at_least=count)
    heard = generations.heard([one.evaluation for one in pool if one.evaluation is not None])
    if sought is taste and not TasteSnapshot.objects.filter(round=round_, ratings__gt=0).exists():
        return [pool[index] for index in _introduction(heard, taste, count=count)]
    likeness, uncertainty = sought.likeness(heard.embeddings)
    wanted = likeness - artefacts.total(heard.artefacts)
    if user_model.sample:
        return [pool[index] for index in curation.sample_by_rank(wanted, count=count, seed=seed)]
    chosen = curation.compose(
        wanted,
        uncertainty,
        taste.aligner.standardise(heard.embeddings),
        count=count,
        diversity=DIVERSITY,
        least_variety=KEPT_VARIETY * _first_variety(listener, taste),
        seed=seed,
    )
    return [pool[index] for index in chosen]


def _played(listener: Listener) -> set[str]:
    """The keys of the evaluations of what the listener has heard, also of those that were forgotten since."""
    seconds, instruments = runs.configuration(listener.run).evolution.duration, runs.instruments(listener.run)
    heard = Candidate.objects.filter(tracks__listener=listener)
    kept = heard.exclude(evaluation=None).values_list("evaluation", flat=True)
    forgotten = heard.filter(evaluation=None).only("genome", "seed")
    takes = [Take(genomes.from_json(one.genome), one.seed, seconds) for one in forgotten]
    return {key for key in kept if key} | {take.key(instruments) for take in takes}


def _one_per_prompt(candidates: Sequence[Candidate], *, at_least: int) -> list[Candidate]:
    """The fittest candidate of each prompt; more of a prompt only where there would be too few."""
    ranked = sorted(candidates, key=lambda one: -one.fitness)
    best = list({one.prompt: one for one in reversed(ranked)}.values())
    kept = {one.pk for one in best}
    others = [one for one in ranked if one.pk not in kept]
    return best + others[: max(0, at_least - len(best))]


def _introduction(heard: Evaluations, taste: Taste, *, count: int) -> list[int]:
    """A first playlist: what tells most about somebody of whom nothing is known, among what sounds clean."""
    clean = (artefacts.total(heard.artefacts) <= MOST_FAULTS).nonzero().flatten()
    kept = clean if len(clean) >= count else torch.arange(len(heard))
    songs = taste.aligner.project_songs(heard.embeddings[kept])
    users = taste.aligner.project_users(taste.aligner.reference_users())
    return [int(kept[index]) for index in curation.introduce((users @ songs.T).detach(), count=count)]


def _first_variety(listener: Listener, taste: Taste) -> float:
    """The variety of the listener's first playlist; 0 before there is one."""
    first = Track.objects.filter(listener=listener, place__playlist__number=1)
    evaluations = [track.recording.evaluation for track in first.select_related("recording__evaluation")]
    if not evaluations:
        return 0.0
    return curation.variety(taste.aligner.standardise(generations.heard(evaluations).embeddings))


def _titles(listener: Listener, candidates: Sequence[Candidate]) -> list[str]:
    """A title for each candidate; a listener's later tracks of the same name are numbered: `Calm jazz, no. 2`."""
    lexicon = catalog.lexicon(runs.configuration(listener.run).music_model)
    taken = Counter(name.split(NUMBERED)[0] for name in listener.tracks.values_list("title", flat=True))
    titles = []
    for candidate in candidates:
        name = title(candidate.prompt, lexicon)
        taken[name] += 1
        titles.append(name if taken[name] == 1 else f"{name}{NUMBERED}{taken[name]}")
    return titles


def title(prompt: str, lexicon: prompts.Lexicon) -> str:
    """What a track is called: mood, genre (else its first instrument) and key, as a heading."""
    said = prompts.parse(prompt, lexicon)
    subject = said.genre or (said.instruments[0] if said.instruments else "")
    name = " ".join(filter(None, (said.mood, subject))) or prompt.split(",")[0].strip() or "untitled"
    if said.key:
        name += f" in {said.key[:1].upper()}{said.key[1:]}" if KEY.match(said.key) else f" in {said.key}"
    return textwrap.shorten(name[:1].upper() + name[1:], LONGEST_TITLE, placeholder=" …")


@transaction.atomic
def _keep(
    listener: Listener,
    round_: Round,
    taste: Taste,
    candidates: Sequence[Candidate],
    recordings: Sequence[Recording],
) -> Playlist:
    heard = generations.heard([recording.evaluation for recording in recordings])
    projected = taste.aligner.project_songs(heard.embeddings).detach()
    likeness, uncertainty = taste.likeness_of_projected(projected)
    titles = _titles(listener, candidates)
    playlist = Playlist.objects.create(listener=listener, round=round_, number=round_.number)
    tracks = Track.objects.bulk_create(
        Track(
            listener=listener,
            recording=recording,
            candidate=candidate,
            title=titles[position],
            prompt=candidate.prompt,
            embedding=projected[position].tolist(),
        )
        for position, (candidate, recording) in enumerate(zip(candidates, recordings, strict=True))
    )
    PlaylistTrack.objects.bulk_create(
        PlaylistTrack(
            playlist=playlist,
            track=track,
            position=position,
            predicted=float(likeness[position]),
            uncertainty=float(uncertainty[position]),
        )
        for position, track in enumerate(tracks)
    )
    return playlist
