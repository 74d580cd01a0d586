"""Listening histories: who listened to which song, how often; filtered, matched with embeddings, split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from models_store.aligner.song_store import SongStore


def _no_pairs() -> Tensor:
    return torch.zeros(0, 2, dtype=torch.int64)


@dataclass(frozen=True)
class Histories:
    """Who listened to what. One row for a user and a song, sorted by user, then by song: P rows.

    users, songs: their ids; whoever listened to nothing, and what nobody heard, may be among them.
    user_index, song_index: int64 [P], into them. counts: float32 [P], above 0: how often.
    disliked: int64 [D, 2], pairs (user, song) that are known to be disliked, sorted; none of them is a row.

    `Histories.of` sorts and adds up; the constructor only checks. Raises ValueError for what does not fit.
    """

    users: tuple[str, ...]
    songs: tuple[str, ...]
    user_index: Tensor
    song_index: Tensor
    counts: Tensor
    disliked: Tensor = field(default_factory=_no_pairs)

    def __post_init__(self) -> None:
        size = (len(self.counts),)
        shapes = tuple(self.user_index.shape), tuple(self.song_index.shape), tuple(self.counts.shape)
        if shapes != (size, size, size) or self.disliked.ndim != 2 or self.disliked.shape[1] != 2:
            raise ValueError(
                f"Histories: expected user_index, song_index and counts [P] and disliked [D, 2], "
                f"got {shapes} and {tuple(self.disliked.shape)}"
            )
        for what, names in (("users", self.users), ("songs", self.songs)):
            if len(set(names)) != len(names):
                raise ValueError(f"Histories.{what}: expected each id once, some are there twice")
        if not bool(((self.counts > 0) & self.counts.isfinite()).all()):
            raise ValueError("Histories.counts: expected finite counts above 0, got others")
        listened, disliked = self._keys(self.pairs), self._keys(self.disliked)
        for name, keys in (("user_index and song_index", listened), ("disliked", disliked)):
            if not bool((keys[1:] > keys[:-1]).all()):
                raise ValueError(f"Histories.{name}: expected pairs sorted by user and song, each once")
        if bool(torch.isin(disliked, listened).any()):
            raise ValueError("Histories.disliked: expected no pair that is listened to as well")

    @classmethod
    def of(
        cls,
        users: Sequence[str],
        songs: Sequence[str],
        user_index: Tensor,
        song_index: Tensor,
        counts: Tensor,
        *,
        disliked: Tensor | None = None,
    ) -> Histories:
        """Histories from rows in any order: int64 [R], int64 [R], float [R]. Counts of the same pair are added.

        disliked: int64 [D, 2] in any order; what somebody dislikes is no row, however often they listened to it.
        """
        user_index, song_index, width = user_index.long(), song_index.long(), max(len(songs), 1)
        _check_range("user_index", user_index, len(users))
        _check_range("song_index", song_index, len(songs))
        keys, place = (user_index * width + song_index).unique(return_inverse=True)
        added = torch.zeros(len(keys), dtype=torch.float64).index_add_(0, place, counts.double().flatten())
        pairs = _no_pairs() if disliked is None else disliked.long().reshape(-1, 2)
        _check_range("disliked[:, 0]", pairs[:, 0], len(users))
        _check_range("disliked[:, 1]", pairs[:, 1], len(songs))
        against = (pairs[:, 0] * width + pairs[:, 1]).unique()
        liked = ~torch.isin(keys, against)
        keys, added = keys[liked], added[liked]
        return cls(
            users=tuple(users),
            songs=tuple(songs),
            user_index=keys // width,
            song_index=keys % width,
            counts=added.float(),
            disliked=torch.stack([against // width, against % width], dim=1),  # [D, 2]
        )

    def __len__(self) -> int:
        """P, the pairs of a user and a song listened to."""
        return len(self.counts)

    @property
    def pairs(self) -> Tensor:
        """int64 [P, 2], (user, song) of each row."""
        return torch.stack([self.user_index, self.song_index], dim=1)

    @cached_property
    def starts(self) -> Tensor:
        """int64 [users + 1]: the rows of user i are starts[i] to starts[i + 1]."""
        per_user = torch.bincount(self.user_index, minlength=len(self.users))
        return torch.cat([torch.zeros(1, dtype=torch.int64), per_user.cumsum(0)])

    @property
    def songs_per_user(self) -> Tensor:
        """int64 [users]: to how many songs each user listened."""
        return self.starts.diff()

    @cached_property
    def users_per_song(self) -> Tensor:
        """int64 [songs]: how many users listened to each song."""
        return torch.bincount(self.song_index, minlength=len(self.songs))

    def of_user(self, user: int) -> tuple[Tensor, Tensor]:
        """What one user listened to: songs int64 [n], counts float32 [n]."""
        part = slice(int(self.starts[user]), int(self.starts[user + 1]))
        return self.song_index[part], self.counts[part]

    def disliked_by(self, user: int) -> Tensor:
        """The songs that one user is known to dislike: int64 [n]."""
        return self.disliked[self.disliked[:, 0] == user, 1]

    def keep_users(self, kept: Tensor) -> Histories:
        """Only these users (bool [users]), numbered anew; all songs stay."""
        return self._restricted(_mask("keep_users", kept, self.users), torch.ones(len(self.songs), dtype=torch.bool))

    def keep_songs(self, kept: Tensor) -> Histories:
        """Only these songs (bool [songs]), numbered anew; all users stay."""
        return self._restricted(torch.ones(len(self.users), dtype=torch.bool), _mask("keep_songs", kept, self.songs))

    def _restricted(self, users: Tensor, songs: Tensor) -> Histories:
        new_user, new_song = users.cumsum(0) - 1, songs.cumsum(0) - 1
        rows = users[self.user_index] & songs[self.song_index]
        against = users[self.disliked[:, 0]] & songs[self.disliked[:, 1]]
        return Histories(
            users=tuple(self.users[i] for i in users.nonzero().flatten().tolist()),
            songs=tuple(self.songs[i] for i in songs.nonzero().flatten().tolist()),
            user_index=new_user[self.user_index[rows]],
            song_index=new_song[self.song_index[rows]],
            counts=self.counts[rows],
            disliked=torch.stack(
                [new_user[self.disliked[against, 0]], new_song[self.disliked[against, 1]]], dim=1
            ),  # [D, 2]
        )

    def aligned_to(self, store: SongStore) -> tuple[Histories, Alignment]:
        """Only the songs of which the store has an embedding, in their order, and a report on the others.

        Raises ValueError if the store has none of them.
        """
        known = torch.tensor([name in store for name in self.songs], dtype=torch.bool)
        if not bool(known.any()):
            raise ValueError(
                f"{store.folder}: expected embeddings of the songs listened to (such as {self.songs[:1]}), "
                f"has none of {len(self.songs)} (but such as {store.ids[:1]})"
            )
        kept = self.keep_songs(known)
        silent = (self.songs_per_user > 0) & (kept.songs_per_user == 0)
        return kept, Alignment(
            rows=store.rows(kept.songs),
            songs_dropped=int((~known).sum()),
            pairs_dropped=len(self) - len(kept),
            listens_dropped=float(self.counts.double().sum() - kept.counts.double().sum()),
            users_without=int(silent.sum()),
            unheard=len(store) - len(kept.songs),
        )

    def _keys(self, pairs: Tensor) -> Tensor:
        """One number for each pair [n, 2]. Raises ValueError for one that is no user or no song."""
        _check_range("pairs of users", pairs[:, 0], len(self.users))
        _check_range("pairs of songs", pairs[:, 1], len(self.songs))
        return pairs[:, 0] * max(len(self.songs), 1) + pairs[:, 1]


@dataclass(frozen=True)
class Alignment:
    """What became of histories beside a store.

    rows: int64 [songs], the store's row of each song that was kept: `store.take(rows[songs])` are their embeddings.
    songs_dropped, pairs_dropped, listens_dropped: of songs without an embedding. users_without: users who are left with
    nothing. unheard: songs of the store that nobody listened to.
    """

    rows: Tensor
    songs_dropped: int
    pairs_dropped: int
    listens_dropped: float
    users_without: int
    unheard: int

    def __str__(self) -> str:
        return (
            f"{len(self.rows)} songs have an embedding; without one: {self.songs_dropped} songs, "
            f"{self.pairs_dropped} pairs, {self.listens_dropped:.0f} listens; "
            f"{self.users_without} users are left with nothing; {self.unheard} embeddings that nobody listened to"
        )


def _check_range(name: str, index: Tensor, size: int) -> None:
    if len(index) and not 0 <= int(index.min()) <= int(index.max()) < size:
        raise ValueError(f"Histories.{name}: expected 0 to {size - 1}, got {int(index.min())} to {int(index.max())}")


def _mask(name: str, kept: Tensor, of: tuple[str, ...]) -> Tensor:
    if kept.dtype != torch.bool or tuple(kept.shape) != (len(of),):
        raise ValueError(f"Histories.{name}: expected bool [{len(of)}], got {kept.dtype} {tuple(kept.shape)}")
    return kept
