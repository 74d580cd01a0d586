"""What our own listeners said, as histories to train an aligner on, with the embeddings of what they heard."""

from __future__ import annotations

from pathlib import Path

import torch
from django.db.models import Q
from tqdm import tqdm

from evolution import generations, runs
from evolution.models import Recording
from listening import selectors
from listening.models import Listener, Track
from models_store.aligner.histories import Histories
from models_store.aligner.song_store import SongStore

_AT_ONCE = 512


def collect(
    folder: Path,
    *,
    encoder: str = "spectral",
    model: str | None = None,
    synthetic: bool = False,
    progress: bool = False,
) -> tuple[Histories, SongStore]:
    """The likes and dislikes of every listener, and a store, in `folder`, of the recordings they are about.

    A listener is a user, a recording is a song. The count of a pair is how often it was liked (a repeat may be liked
    again); what was disliked last is in `disliked`. What a listener wants forgotten does not count. Calling it again
    adds what is new to the store.

    encoder, model: of what was heard; None: the only one in use. synthetic: listeners who stand for reference users
    too, whose answers an aligner gave itself.
    Raises ValueError if nobody has rated anything, for ears of several models, and for a folder that is no such store.
    """
    ear = _ear(encoder, model)
    users, songs, likes, dislikes = _opinions(_listeners(ear, synthetic=synthetic))
    if not likes and not dislikes:
        raise ValueError(f"histories: expected ratings of what {encoder} heard, there are none")
    rows = torch.tensor([(user, song, count) for (user, song), count in likes.items()]).reshape(-1, 3)
    histories = Histories.of(
        tuple(map(str, users)),
        tuple(songs),
        rows[:, 0],
        rows[:, 1],
        rows[:, 2],
        disliked=torch.tensor(sorted(dislikes), dtype=torch.int64).reshape(-1, 2),
    )
    return histories, _store(folder, list(songs), encoder=encoder, model=ear[1], progress=progress)


def _ear(encoder: str, model: str | None) -> tuple[str, str]:
    """(encoder, model) that experiments hear with; a model of "": the encoder has none."""
    used = set(_ears().values())
    found = [ear for ear in used if ear[0] == encoder and model in (None, ear[1])]
    if len(found) != 1:
        heard = ", ".join(" ".join(ear).strip() for ear in sorted(used)) or "nothing"
        raise ValueError(f"histories: expected one model of {encoder!r} that experiments hear with, they use: {heard}")
    return found[0]


def _ears() -> dict[int, tuple[str, str]]:
    """(encoder, model) of each experiment that anybody listens in, by its key."""
    ears: dict[int, tuple[str, str]] = {}
    for listener in Listener.objects.select_related("run__experiment").distinct("run__experiment"):
        heard = runs.instruments(listener.run)
        ears[listener.run.experiment_id] = heard.encoder, str(heard.encoder_parameters.get("model", ""))
    return ears


def _listeners(ear: tuple[str, str], *, synthetic: bool) -> Q:
    experiments = [key for key, used in _ears().items() if used == ear]
    of_them = Q(listener__run__experiment__in=experiments)
    return of_them if synthetic else of_them & Q(listener__reference_user=None)


def _opinions(
    whose: Q,
) -> tuple[dict[int, int], dict[str, int], dict[tuple[int, int], int], set[tuple[int, int]]]:
    """Listeners and recordings, numbered; (listener, recording) -> how often it was liked; and those disliked last."""
    users: dict[int, int] = {}
    songs: dict[str, int] = {}
    likes: dict[tuple[int, int], int] = {}
    dislikes: set[tuple[int, int]] = set()
    rated = (
        selectors.with_opinion(Track.objects.filter(whose, forgotten_at=None))
        .filter(opinion__in=[-1, 1])
        .order_by("listener_id", "created_at", "pk")
        .values_list("listener_id", "recording_id", "opinion")
    )
    for listener, recording, opinion in rated.iterator():
        pair = users.setdefault(listener, len(users)), songs.setdefault(recording, len(songs))
        if opinion == 1:
            likes[pair] = likes.get(pair, 0) + 1
            dislikes.discard(pair)
        else:
            dislikes.add(pair)
    return users, songs, likes, dislikes


def _store(folder: Path, songs: list[str], *, encoder: str, model: str, progress: bool) -> SongStore:
    first = Recording.objects.select_related("evaluation").get(pk=songs[0]).evaluation
    with SongStore.writer(folder, layers=first.layers, dim=first.dim, encoder=encoder, model=model) as writer:
        wanted = [key for key in songs if key not in writer]
        for start in tqdm(range(0, len(wanted), _AT_ONCE), desc="recordings", unit="batch", disable=not progress):
            some = Recording.objects.select_related("evaluation").in_bulk(wanted[start : start + _AT_ONCE])
            writer.add(tuple(some), generations.heard([one.evaluation for one in some.values()]).embeddings)
        writer.finish()
    return SongStore.open(folder)
