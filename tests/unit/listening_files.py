"""The listening of a small world, written as the files that the readers know."""

from __future__ import annotations

import json
import uuid
import zipfile
from pathlib import Path
from typing import Any

import torch

from models_store.aligner.histories import Histories
from models_store.aligner.song_store import SongStore
from tests.unit import small_world

USERS = tuple(f"user_{number:06d}" for number in range(1, 31))
SONGS = tuple(str(uuid.UUID(int=number + (4 << 76))) for number in range(400))


def histories() -> Histories:
    """Who listened to what in the small world: 30 users, those of its 400 songs that anybody heard."""
    counts = small_world.listeners().counts.round()
    users, songs = counts.nonzero(as_tuple=True)
    everything = Histories.of(USERS, SONGS, users, songs, counts[users, songs])
    return everything.keep_songs(everything.users_per_song > 0)


def told(listening: Histories) -> dict[tuple[str, str], float]:
    """(user, song) -> count, whatever they are numbered as."""
    return {
        (listening.users[user], listening.songs[song]): count
        for (user, song), count in zip(listening.pairs.tolist(), listening.counts.tolist(), strict=True)
    }


def store(folder: Path, *, ids: tuple[str, ...] = SONGS) -> SongStore:
    """The embeddings of the small world's songs."""
    with SongStore.writer(folder, layers=small_world.LAYERS, dim=small_world.DIM, encoder="numbers") as writer:
        writer.add(ids, small_world.songs().embeddings[: len(ids)])
        writer.finish()
    return SongStore.open(folder)


def lastfm_lines() -> list[str]:
    """A line for each listen, as in Last.fm-1K; every tenth song has no MusicBrainz id."""
    lines = []
    for (user, song), count in told(histories()).items():
        number = SONGS.index(song)
        track = "" if number % 10 == 0 else song
        fields = (user, "2009-05-04T23:08:57Z", str(uuid.uuid5(uuid.NAMESPACE_URL, "artist")), "Ärtist", track)
        lines += ["\t".join((*fields, f"Title  {number}")) + "\n"] * int(count)
    return lines


def lastfm_id(song: str) -> str:
    """What the song is called that `lastfm_lines` speaks of."""
    number = SONGS.index(song)
    return f"ärtist - title {number}" if number % 10 == 0 else song


def write_play_counts(path: Path) -> Path:
    """The prototype's clean_stats.csv, with the index that pandas writes."""
    rows = [f"{n},{u},{s},{int(c)}\n" for n, ((u, s), c) in enumerate(told(histories()).items())]
    path.write_text(",userid,id,count\n" + "".join(rows))
    return path


def listen(song: str, *, user: str | None = None, mapped: bool = True) -> dict[str, Any]:
    """A listen as ListenBrainz writes it: with the recording's id as mapped, or as submitted."""
    about: dict[str, Any] = {"artist_name": "Artist", "track_name": f"Title {song}", "additional_info": {}}
    if mapped:
        about["mbid_mapping"] = {"recording_mbid": song.upper()}
    else:
        about["additional_info"] = {"recording_mbid": song}
    return {"listened_at": 1_700_000_000, "track_metadata": about, **({"user_name": user} if user else {})}


def write_dump(folder: Path) -> Path:
    """A dump of ListenBrainz: the listens of everybody, month by month."""
    listens = [
        json.dumps(listen(song, user=user, mapped=SONGS.index(song) % 2 == 0)) + "\n"
        for (user, song), count in told(histories()).items()
        for _ in range(int(count))
    ]
    (folder / "listens" / "2024").mkdir(parents=True)
    half = len(listens) // 2
    (folder / "listens" / "2024" / "1.jsonl").write_text("".join(listens[:half]))
    (folder / "listens" / "2024" / "2.jsonl").write_text("".join(listens[half:]))
    return folder


def write_export(path: Path, user: str) -> Path:
    """The export of one user: a zip archive in which only user.json says whose it is; their first song is hated."""
    songs = [(song, int(count)) for (who, song), count in told(histories()).items() if who == user]
    listens = [json.dumps(listen(song)) + "\n" for song, count in songs for _ in range(count)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("user.json", json.dumps({"user_id": 7, "username": user}))
        archive.writestr("feedback.jsonl", json.dumps({"recording_mbid": songs[0][0], "score": -1}) + "\n")
        archive.writestr("pinned_recording.jsonl", '{"blurb_content": ""}\n')
        archive.writestr("listens/2024/1.jsonl", "".join(listens))
    return path


def write_song_files(folder: Path, *, count: int) -> torch.Tensor:
    """The prototype's embeddings: a JSON for each of the first songs; [count, layers, dim]."""
    folder.mkdir()
    embeddings = small_world.songs().embeddings[:count]
    for song, embedding in zip(SONGS[:count], embeddings.tolist(), strict=True):
        (folder / f"{song}.json").write_text(json.dumps(embedding))
    return embeddings
