"""Listening data sets of other people as histories: one module for each format.

lastfm          Last.fm-1K, a line for each listen
play_counts     the prototype's clean_stats.csv, its splits and its embeddings
listenbrainz    dumps and exports of ListenBrainz
"""

from __future__ import annotations

from pathlib import Path

from models_store.aligner.readers import lastfm, listenbrainz, play_counts
from models_store.aligner.readers.tally import Reading

FORMATS = {"lastfm": lastfm.read, "play-counts": play_counts.read, "listenbrainz": listenbrainz.read}

__all__ = ["FORMATS", "Reading", "read"]


def read(kind: str, path: Path | str, *, progress: bool = False) -> Reading:
    """Histories from a file or folder of this format, one of FORMATS.

    Raises ValueError, with the path, for an unknown format and for what cannot be read as that.
    """
    if kind not in FORMATS:
        raise ValueError(f"{path}: expected a format of {', '.join(FORMATS)}, got {kind!r}")
    return FORMATS[kind](Path(path), progress=progress)
