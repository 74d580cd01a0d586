"""Target music: what may be one, and what is kept of it."""

import io

import numpy as np
import pytest
import soundfile

from evolution import targets
from evolution.targets import TargetError

RATE = 16_000


def sound(seconds=2.0, *, level=0.3, container="WAV"):
    time = np.arange(round(seconds * RATE)) / RATE
    file = io.BytesIO()
    soundfile.write(file, level * np.sin(2 * np.pi * 220 * time), RATE, format=container)
    file.seek(0)
    return file


def test_the_same_music_is_kept_once_under_the_hash_of_its_content(media):
    first, again = targets.keep(sound(), name="Song.wav"), targets.keep(sound(), name="other name.wav")
    assert first == again
    assert first.parent == media / "targets"
    assert [file.name for file in first.parent.iterdir()] == [first.name]
    assert targets.check(first) == pytest.approx(2.0)


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_whatever_soundfile_reads_may_be_a_target(container):
    path = targets.keep(sound(container=container), name=f"song.{container.lower()}")
    assert targets.check(path) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "an empty one"),
        (b"this is no sound at all", "cannot read it"),
        (sound(0.0).read(), "0.00"),
        (sound(0.5).read(), "0.50"),
        (sound(level=0.0).read(), "silence"),
        (sound(5.0, container="FLAC").read()[:300], "cannot read it|breaks off"),
    ],
)
def test_what_is_no_audible_sound_is_refused_and_nothing_is_left_behind(media, content, expected):
    with pytest.raises(TargetError, match=expected):
        targets.keep(io.BytesIO(content), name="song.wav")
    assert not list((media / "targets").glob("*"))


def test_music_longer_than_ten_minutes_is_refused(media):
    file = io.BytesIO()
    soundfile.write(file, np.full(601 * 1000, 0.5, dtype=np.float32), 1000, format="FLAC", subtype="PCM_16")
    file.seek(0)
    with pytest.raises(TargetError, match=r"1 to 600 seconds.*got 601"):
        targets.keep(file, name="symphony.flac")


def test_a_file_over_fifty_megabytes_is_refused_before_it_is_decoded():
    with pytest.raises(TargetError, match="at most 50 MB"):
        targets.keep(io.BytesIO(bytes(51 * 2**20)), name="album.wav")


def test_a_name_cannot_lead_out_of_the_folder(media):
    path = targets.keep(sound(), name="../../evil.wav/../x.%2e%2f")
    assert path.parent == media / "targets"


def test_a_missing_file_is_named():
    with pytest.raises(TargetError, match=r"nowhere\.wav: expected a sound file, there is none"):
        targets.check(targets.Path("nowhere.wav"))
