"""Last.fm-1K: `userid-timestamp-artid-artname-traid-traname.tsv`, a line for each listen.

Òscar Celma, "Music Recommendation and Discovery in the Long Tail", 2008 and 2010: 19,150,868 lines of 992 users.
"""

from __future__ import annotations

from pathlib import Path

from models_store.aligner.readers.lines import lines
from models_store.aligner.readers.tally import MOST_BAD, Reading, Tally, named

_FIELDS = "user, time, artist id, artist, track id, track"
_MBID = 36  # characters of a MusicBrainz id


def read(path: Path, *, most_bad: float = MOST_BAD, progress: bool = False) -> Reading:
    """How often each user listened to each track, from one pass over the file.

    A song's id is the MusicBrainz id of the track or, where there is none, its artist and title. Lines with other than
    six fields, without a time, a user or a song, or not in UTF-8, are counted and left out.
    Raises ValueError, with the path, for another kind of file and if more than `most_bad` of the lines are such.
    """
    tally = Tally(path, most_bad=most_bad)
    users: dict[bytes, int] = {}
    songs: dict[bytes, int] = {}  # what a line says of a song -> its number: names are read once
    for line in lines(path, progress=progress):
        tally.lines += 1
        fields = line.rstrip(b"\r\n").split(b"\t")
        if len(fields) != 6:
            tally.bad(f"expected 6 fields between tabs ({_FIELDS})", line)
            continue
        who, when, _, artist, track, title = fields
        said = track if len(track) == _MBID else artist + b"\t" + title
        try:
            if when[4:5] != b"-" or not who:
                raise ValueError("expected a user and a time such as 2009-05-04T23:08:57Z")
            song = songs.get(said)
            if song is None:
                song = songs[said] = tally.song(_id(track, artist, title))
            user = users.get(who)
            if user is None:
                user = users[who] = tally.user(who.decode())
        except UnicodeDecodeError:
            tally.bad("expected UTF-8", line)
        except ValueError as error:
            tally.bad(str(error), line)
        else:
            tally.add(user, song)
    return tally.reading()


def _id(track: bytes, artist: bytes, title: bytes) -> str:
    if len(track) == _MBID:
        return track.decode().lower()
    if not artist.strip() or not title.strip():
        raise ValueError("expected a track id, or an artist and a title")
    return named(artist.decode(), title.decode())
