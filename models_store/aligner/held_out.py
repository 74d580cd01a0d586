"""Which songs and which users an aligner is not trained on, and which rows of histories are worth training on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models_store.aligner.histories import Histories


@dataclass(frozen=True)
class Parts:
    """Indices (int64) to train on, to stop by and to test on; no index is in two of them."""

    train: Tensor
    validation: Tensor
    test: Tensor


@dataclass(frozen=True)
class HeldOut:
    """Parts of the songs and of the users of histories.

    A user who is not in `users.train` has no row in the table that is trained: from what they listened to among
    `songs.train` a taste is learned, and measured on `songs.test`.
    """

    songs: Parts
    users: Parts


@dataclass(frozen=True)
class Filtered:
    """What a filter took away."""

    songs: int
    users: int
    pairs: int

    def __str__(self) -> str:
        return f"filtered out: {self.songs} songs, {self.users} users, {self.pairs} pairs"


def filtered(
    histories: Histories, *, least_listeners: int = 1, least_songs: int = 1, most_songs: int | None = None
) -> tuple[Histories, Filtered]:
    """Only songs with at least `least_listeners` users, and users who listened to at least `least_songs` songs.

    Both hold in the result: without a user a song may have too few, so it goes on until nothing changes (the core of
    the graph). Who dislikes a song has listened to it. most_songs: at most so many, those with the most users; None:
    all. Raises ValueError for limits below 1 and if nothing is left.
    """
    limits = {"least_listeners": least_listeners, "least_songs": least_songs, "most_songs": most_songs}
    wrong = [f"{name}={limit}" for name, limit in limits.items() if limit is not None and limit < 1]
    if wrong:
        raise ValueError(f"filtered: expected limits of at least 1, got {', '.join(wrong)}")
    users = torch.ones(len(histories.users), dtype=torch.bool)
    songs = torch.ones(len(histories.songs), dtype=torch.bool)
    users, songs = _core(histories, users, songs, least_listeners, least_songs)
    if most_songs is not None and int(songs.sum()) > most_songs:
        popularity = _listeners(histories, users, songs).masked_fill(~songs, -1)
        chosen = popularity.argsort(descending=True, stable=True)[:most_songs]
        songs = torch.zeros_like(songs).index_fill_(0, chosen, True)
        users, songs = _core(histories, users, songs, least_listeners, least_songs)
    if not bool(users.any()) or not bool(songs.any()):
        raise ValueError(
            f"filtered: expected some of {len(histories.users)} users and {len(histories.songs)} songs to be left, "
            f"got none with at least {least_listeners} listeners a song and {least_songs} songs a user"
        )
    kept = histories.keep_users(users).keep_songs(songs)
    return kept, Filtered(int((~songs).sum()), int((~users).sum()), len(histories) - len(kept))


def _core(
    histories: Histories, users: Tensor, songs: Tensor, least_listeners: int, least_songs: int
) -> tuple[Tensor, Tensor]:
    """The largest part of these users and songs (bool) in which each has enough of the others."""
    while True:
        before = int(users.sum()), int(songs.sum())
        songs = songs & (_listeners(histories, users, songs) >= least_listeners)
        rows = users[histories.user_index] & songs[histories.song_index]
        users = users & (torch.bincount(histories.user_index[rows], minlength=len(users)) >= least_songs)
        if (int(users.sum()), int(songs.sum())) == before:
            return users, songs


def _listeners(histories: Histories, users: Tensor, songs: Tensor) -> Tensor:
    """How many of these users listened to each of these songs, whether they liked it or not: int64 [songs]."""
    heard = torch.cat([histories.pairs, histories.disliked])
    kept = users[heard[:, 0]] & songs[heard[:, 1]]
    return torch.bincount(heard[kept, 1], minlength=len(songs))


def split(
    histories: Histories,
    *,
    songs: tuple[float, float] = (0.1, 0.2),
    users: tuple[float, float] = (0.0, 0.1),
    seed: int,
) -> HeldOut:
    """Parts drawn at random: shares of the songs and of the users to stop by and to test on; the rest is to train on.

    A share above 0 is at least one. Raises ValueError for other shares, and for too few songs or users.
    """
    generator = torch.Generator().manual_seed(seed)
    return HeldOut(
        songs=_drawn("songs", len(histories.songs), songs, generator),
        users=_drawn("users", len(histories.users), users, generator),
    )


def _drawn(what: str, count: int, shares: tuple[float, float], generator: torch.Generator) -> Parts:
    if not (min(shares) >= 0 and sum(shares) < 1):
        raise ValueError(f"split: expected shares of {what} from 0 to 1 that leave some to train on, got {shares}")
    validation, test = (max(1, round(share * count)) if share else 0 for share in shares)
    if count - validation - test < 1:
        raise ValueError(f"split: expected more {what} than {validation} to stop by and {test} to test on, got {count}")
    order = torch.randperm(count, generator=generator)
    return Parts(
        train=order[validation + test :].sort().values,
        validation=order[:validation].sort().values,
        test=order[validation : validation + test].sort().values,
    )


def parts_of(
    names: Sequence[str], chosen: Mapping[str, Collection[str]], *, validation: float = 0.1, seed: int
) -> Parts:
    """The parts that somebody else chose: "train", "test" and perhaps "validation", each the ids of some `names`.

    Ids that are no name are left out, as songs without an embedding are; names in no part are in none.
    validation: where the choice has no such part, so much of "train" is drawn for it.
    Raises ValueError for other parts, an id in two of them, and a part of which no name is left.
    """
    if not {"train", "test"} <= set(chosen) <= {"train", "validation", "test"}:
        raise ValueError(f"parts_of: expected train, test and perhaps validation, got {', '.join(chosen) or 'nothing'}")
    place = {name: index for index, name in enumerate(names)}
    seen: dict[str, str] = {}
    found: dict[str, Tensor] = {}
    for part, ids in chosen.items():
        for name in ids:
            if seen.setdefault(name, part) != part:
                raise ValueError(f"parts_of: expected each id in one part, got {name!r} in {seen[name]} and {part}")
        found[part] = torch.tensor(sorted({place[name] for name in ids if name in place}), dtype=torch.int64)
    if "validation" not in found:
        drawn = _drawn("names", len(found["train"]), (validation, 0.0), torch.Generator().manual_seed(seed))
        found["validation"], found["train"] = found["train"][drawn.validation], found["train"][drawn.train]
    empty = [part for part, indices in found.items() if not len(indices)]
    if empty:
        raise ValueError(f"parts_of: expected known ids in each part, got none in {', '.join(empty)}")
    return Parts(train=found["train"], validation=found["validation"], test=found["test"])
