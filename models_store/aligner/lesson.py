"""What an aligner is to learn from: histories, where their songs are, and what is held out of both."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import torch
from torch import Tensor

from models_store.aligner.held_out import HeldOut
from models_store.aligner.histories import Histories
from models_store.aligner.measuring import SongSource


@dataclass(frozen=True)
class Lesson:
    """Histories and their songs.

    rows: int64 [songs], where each song of the histories is in `source`. Raises ValueError for another number of rows.
    """

    histories: Histories
    source: SongSource
    rows: Tensor
    held_out: HeldOut

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.histories.songs):
            raise ValueError(f"training: expected {len(self.histories.songs)} rows of songs, got {len(self.rows)}")

    @property
    def users(self) -> Tensor:
        """Those who get a row of the table, in its order: to train on, and heard at least one song to train on."""
        return self._having_listened(self.held_out.users.train)

    @property
    def newcomers(self) -> Tensor:
        """The users held out of whom anything is known."""
        return self._having_listened(self.held_out.users.test)

    def taught(self, users: Tensor) -> tuple[Histories, Tensor]:
        """What these users listened to among the songs to train on, and the rows of these songs."""
        songs = self._to_train_on()
        return self.histories.keep_users(_mask(users, len(self.histories.users))).keep_songs(songs), self.rows[songs]

    def check(self) -> None:
        """Raises ValueError if there is nothing to train on, to stop by or to test on."""
        users, songs = self.users, self.held_out.songs
        if not len(users):
            raise ValueError("training: expected users who listened to a song to train on, got none")
        for what, part in (("to stop by", songs.validation), ("to test on", songs.test)):
            if not len(part):
                raise ValueError(f"training: expected songs {what}, got none of {len(self.histories.songs)}")
            heard = torch.isin(self.histories.song_index, part) & torch.isin(self.histories.user_index, users)
            if not bool(heard.any()):
                raise ValueError(f"training: expected that somebody listened to one of the {len(part)} songs {what}")

    def fingerprint(self) -> str:
        """A name for all of this, the same for the same: of ids, counts, parts, and the first songs' embeddings."""
        digest = blake2b(digest_size=16)
        for names in (self.histories.users, self.histories.songs):
            digest.update("\0".join(names).encode("utf-8", "surrogatepass"))
        tensors = [self.histories.pairs, self.histories.counts, self.histories.disliked, self.rows]
        for parts in (self.held_out.songs, self.held_out.users):
            tensors += [parts.train, parts.validation, parts.test]
        for tensor in [*tensors, self.source.take(self.rows[:4])]:
            digest.update(repr(tuple(tensor.shape)).encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _to_train_on(self) -> Tensor:
        return _mask(self.held_out.songs.train, len(self.histories.songs))

    def _having_listened(self, users: Tensor) -> Tensor:
        heard = self.histories.user_index[self._to_train_on()[self.histories.song_index]].unique()
        users = users.sort().values
        return users[torch.isin(users, heard)]


def _mask(chosen: Tensor, count: int) -> Tensor:
    mask = torch.zeros(count, dtype=torch.bool)
    mask[chosen] = True
    return mask
