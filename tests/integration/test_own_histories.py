"""Our own listeners' ratings as histories to train on, with the embeddings of what they heard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from django.utils import timezone

from evolution import runs
from evolution.models import Evaluation, Recording
from listening import histories, listeners
from listening.models import Listener, Playlist, Track
from models_store.aligner import held_out
from tests.integration import small_runs

MakePlaylist = Callable[..., Playlist]


def _sounding(playlist: Playlist, *, first: int) -> list[str]:
    """Give each recording of a playlist an embedding of its own, [2, 2] counting from `first`; the recordings' keys."""
    keys = [place.track.recording_id for place in playlist.places.all()]
    for number, key in enumerate(keys, start=first):
        embedding = np.full((2, 2), number, "<f4").tobytes()
        Evaluation.objects.filter(recording=key).update(embedding=embedding)
    return keys


def _same_recording(track: Track, recording: str) -> None:
    Track.objects.filter(pk=track.pk).update(recording=Recording.objects.get(pk=recording))


def test_likes_are_counted_dislikes_are_kept_and_each_song_has_its_embedding(
    listener: Listener, other_listener: Listener, make_playlist: MakePlaylist, tmp_path: Path
) -> None:
    mine, theirs = make_playlist(listener), make_playlist(other_listener)
    my_songs, their_songs = _sounding(mine, first=1), _sounding(theirs, first=5)
    small_runs.rate(mine, [1, -1, 0, 1])
    small_runs.rate(theirs, [-1, 1])
    small_runs.rate(theirs, [1, -1])  # a change of mind: the latest counts

    told, store = histories.collect(tmp_path / "store")

    me, them = str(listener.pk), str(other_listener.pk)
    assert told.users == (me, them)
    liked = {(told.users[user], told.songs[song]) for user, song in told.pairs.tolist()}
    disliked = {(told.users[user], told.songs[song]) for user, song in told.disliked.tolist()}
    assert liked == {(me, my_songs[0]), (me, my_songs[3]), (them, their_songs[0])}
    assert disliked == {(me, my_songs[1]), (them, their_songs[1])}
    assert told.counts.tolist() == [1, 1, 1]
    aligned, report = told.aligned_to(store)
    assert aligned.songs == told.songs
    expected = [float([*my_songs, *their_songs].index(song) + 1) for song in told.songs]
    assert store.take(report.rows).equal(torch.tensor(expected)[:, None, None].expand(-1, 2, 2))
    assert (store.about["encoder"], store.about["model"]) == ("spectral", "")
    assert len(held_out.split(told, users=(0, 0.5), seed=0).users.test) == 1


def test_a_recording_that_was_heard_twice_is_one_song(
    listener: Listener, make_playlist: MakePlaylist, tmp_path: Path
) -> None:
    first, second = make_playlist(listener, number=1), make_playlist(listener, number=2)
    songs = _sounding(first, first=1)
    for place, song in zip(second.places.all(), songs, strict=True):
        _same_recording(place.track, song)
    small_runs.rate(first, [1, 1, -1])
    small_runs.rate(second, [1, -1, 1])

    told, _ = histories.collect(tmp_path / "store")

    assert {
        told.songs[song]: count for song, count in zip(*(part.tolist() for part in told.of_user(0)), strict=True)
    } == {
        songs[0]: 2,
        songs[2]: 1,
    }
    assert [told.songs[song] for song in told.disliked_by(0).tolist()] == [songs[1]]


def test_what_a_listener_wants_forgotten_and_what_the_aligner_said_itself_does_not_count(
    listener: Listener, make_playlist: MakePlaylist, tmp_path: Path
) -> None:
    mine = make_playlist(listener)
    songs = _sounding(mine, first=1)
    small_runs.rate(mine, [1, 1])
    Track.objects.filter(recording=songs[0]).update(forgotten_at=timezone.now())
    synthetic = listeners.make_synthetic(reference_user=3, seed=0)
    theirs = make_playlist(synthetic)
    _sounding(theirs, first=5)
    small_runs.rate(theirs, [1])

    told, _ = histories.collect(tmp_path / "store")
    everybody, _ = histories.collect(tmp_path / "everybody", synthetic=True)

    assert (told.users, told.songs) == ((str(listener.pk),), (songs[1],))
    assert everybody.users == (str(listener.pk), str(synthetic.pk))


def test_collecting_again_adds_what_is_new(listener: Listener, make_playlist: MakePlaylist, tmp_path: Path) -> None:
    mine = make_playlist(listener)
    _sounding(mine, first=1)
    small_runs.rate(mine, [1])
    histories.collect(tmp_path / "store")
    small_runs.rate(mine, [1, 1, -1])

    told, store = histories.collect(tmp_path / "store")

    assert len(store) == len(told.songs) == 3
    assert store.take(store.rows(told.songs))[:, 0, 0].tolist() == [1, 2, 3]


def test_only_what_the_encoder_heard_is_told(listener: Listener, make_playlist: MakePlaylist, tmp_path: Path) -> None:
    mine = make_playlist(listener)
    _sounding(mine, first=1)
    small_runs.rate(mine, [1])
    neural = runs.experiment(name="neural", configuration={"music_encoder": "mert"})
    synthetic = listeners.make_synthetic(reference_user=3, seed=0, experiment=neural)
    theirs = make_playlist(synthetic)
    _sounding(theirs, first=5)
    small_runs.rate(theirs, [1])

    told, _ = histories.collect(tmp_path / "spectral", synthetic=True)
    heard, store = histories.collect(tmp_path / "mert", encoder="mert", synthetic=True)

    assert told.users == (str(listener.pk),)
    assert heard.users == (str(synthetic.pk),)
    assert store.about["model"] == "m-a-p/MERT-v1-95M"
    with pytest.raises(ValueError, match=r"one model of 'clap' .* they use: mert m-a-p/MERT-v1-95M, spectral"):
        histories.collect(tmp_path / "clap", encoder="clap")


def test_without_a_rating_there_is_nothing_to_train_on(
    listener: Listener, make_playlist: MakePlaylist, tmp_path: Path
) -> None:
    small_runs.rate(make_playlist(listener), [0, 0])

    with pytest.raises(ValueError, match="expected ratings of what spectral heard, there are none"):
        histories.collect(tmp_path / "store")


def test_only_dislikes_are_histories_too(listener: Listener, make_playlist: MakePlaylist, tmp_path: Path) -> None:
    mine = make_playlist(listener)
    _sounding(mine, first=1)
    small_runs.rate(mine, [-1, -1])

    told, store = histories.collect(tmp_path / "store")

    assert (len(told), len(told.disliked), len(store)) == (0, 2, 2)
