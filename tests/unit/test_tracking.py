from __future__ import annotations

import csv
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import wandb
from PIL import Image
from tensorboardX.proto.event_pb2 import Event

from evolution.trackers import weights_and_biases
from evolution.trackers.ledger import Ledger
from evolution.trackers.sink import Moment
from evolution.trackers.tensorboard import TensorBoard
from evolution.trackers.weights_and_biases import WeightsAndBiases

TOKEN = "0123456789abcdef0123456789abcdef01234567"
FIRST, SECOND, WHOLE = Moment(1, 1, 1), Moment(2, 1, 2), Moment(2, 1)


@pytest.fixture(autouse=True)
def fresh():
    """wandb reads its environment once in a process."""
    yield
    wandb.teardown()


@pytest.fixture
def sound(tmp_path):
    file = tmp_path / "sound.wav"
    soundfile.write(file, 0.5 * np.sin(np.arange(8000) / 10), 8000)
    return file


@pytest.fixture
def picture(tmp_path):
    file = tmp_path / "picture.png"
    Image.new("RGB", (12, 8), "red").save(file)
    return file


def rows(file):
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def test_the_csv_file_has_a_line_for_each_figure(tmp_path):
    ledger = Ledger(tmp_path / "deep" / "tracking.csv")
    ledger.numbers({"fitness/best": 0.5, "fitness/worst": -0.5}, at=FIRST)
    ledger.numbers({"taste/loss": 0.25}, at=WHOLE)
    assert rows(tmp_path / "deep" / "tracking.csv") == [
        {"step": "1", "round": "1", "generation": "1", "figure": "fitness/best", "value": "0.5"},
        {"step": "1", "round": "1", "generation": "1", "figure": "fitness/worst", "value": "-0.5"},
        {"step": "2", "round": "1", "generation": "", "figure": "taste/loss", "value": "0.25"},
    ]


def test_the_csv_file_knows_after_a_new_start_what_it_was_told(tmp_path):
    Ledger(tmp_path / "tracking.csv").numbers({"fitness/best": 0.5}, at=FIRST)
    again = Ledger(tmp_path / "tracking.csv")
    assert again.has(FIRST)
    assert not again.has(SECOND)
    assert not again.has(Moment(1, 1))  # the round as a whole is something else


def test_a_line_that_a_killed_process_left_half_is_cut_off(tmp_path):
    file = tmp_path / "tracking.csv"
    Ledger(file).numbers({"fitness/best": 0.5}, at=FIRST)
    whole = file.read_text()
    file.write_text(whole + "2,1,2,fitness/be")
    again = Ledger(file)
    assert file.read_text() == whole
    assert not again.has(SECOND)


def events(folder):
    """All events of a folder's files: TFRecord frames of length, its checksum, content, its checksum."""
    found = []
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            found.append(Event.FromString(content[12 : 12 + length]))
            content = content[16 + length :]
    return found


def test_tensorboard_files_hold_numbers_sound_and_pictures(tmp_path, sound, picture):
    board = TensorBoard(tmp_path / "board")
    board.numbers({"fitness/best": 0.5}, at=FIRST)
    board.sound("best audio", sound, caption="calm jazz", at=SECOND)
    board.picture("taste map", picture, at=SECOND)
    board.close()
    version, best, heard, seen = events(tmp_path / "board")
    assert version.file_version == "brain.Event:2"
    assert (best.step, best.summary.value[0].tag, best.summary.value[0].simple_value) == (1, "fitness/best", 0.5)
    audio = heard.summary.value[0].audio
    assert (heard.step, audio.sample_rate, audio.length_frames, audio.num_channels) == (2, 8000, 8000, 1)
    assert audio.encoded_audio_string.startswith(b"RIFF")
    assert heard.summary.value[0].metadata.summary_description == "calm jazz"
    image = seen.summary.value[0].image
    assert (image.width, image.height, image.encoded_image_string) == (12, 8, picture.read_bytes())


def test_a_second_process_writes_a_tensorboard_file_of_its_own(tmp_path):
    first, second = TensorBoard(tmp_path), TensorBoard(tmp_path)
    first.numbers({"fitness/best": 0.5}, at=FIRST)
    second.numbers({"fitness/best": 0.75}, at=SECOND)
    assert [event.step for event in events(tmp_path) if event.summary.value] in ([1, 2], [2, 1])


def opened(folder, **changes):
    given = {"project": "tests", "identity": "abc123", "title": "small 5", "configuration": {"seed": 5}}
    return WeightsAndBiases(folder, token=TOKEN, **{**given, **changes})


def contents(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def written(folder: Path, expected: bytes) -> bytes:
    """All that is in a folder once `expected` is: wandb's own process may write a moment after a run was closed."""
    give_up = time.monotonic() + 20.0
    while expected not in contents(folder) and time.monotonic() < give_up:
        time.sleep(0.1)
    return contents(folder)


def test_weights_and_biases_offline_keeps_all_but_the_token(tmp_path, monkeypatch, sound, picture, capfd):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    run = opened(tmp_path / "kept")
    run.numbers({"fitness/best": 0.5}, at=FIRST)
    run.sound("best audio", sound, caption="calm jazz", at=FIRST)
    run.picture("taste map", picture, at=FIRST)
    run.close()
    kept = written(tmp_path / "kept", b"fitness/best")
    (folder,) = (tmp_path / "kept" / "wandb").glob("offline-run-*-abc123")
    assert [path.suffix for path in (folder / "files" / "media" / "audio").iterdir()] == [".wav"]
    assert (folder / "files" / "media" / "images").is_dir()
    for known in (b"fitness/best", b"calm jazz", b"small 5"):
        assert known in kept
    assert TOKEN.encode() not in kept + contents(tmp_path / "home")
    assert capfd.readouterr() == ("", "")


def test_weights_and_biases_that_cannot_be_reached_says_so_in_time(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(weights_and_biases, "CONNECT_SECONDS", 1.0)
    with pytest.raises(wandb.Error) as raised:
        opened(tmp_path)
    assert TOKEN not in str(raised.value)
