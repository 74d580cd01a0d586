"""`embed_songs`: a folder of music becomes a store of embeddings, whatever else lies in it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from django.conf import settings
from django.core.management import CommandError, call_command

from models_store import audio, catalog
from models_store.aligner import hearing
from models_store.aligner.song_store import SongStore

RATE = 22_050


def _write(path: Path, *, seconds: float = 2.0, seed: int = 0, rate: int = RATE, channels: int = 1) -> Path:
    """Noise that swells: something to hear."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time_ = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(0, 0.1, (len(time_), channels))
    soundfile.write(path, (noise * (1 + np.sin(7 * time_))[:, None]).clip(-1, 1), rate)
    return path


def _embed(folder: Path, out: Path, *more: str) -> str:
    told = StringIO()
    call_command("embed_songs", str(folder), "--out", str(out), "--seconds", "1.5", *more, stdout=told, verbosity=0)
    return told.getvalue()


def _heard_alone(path: Path, *, offset: float = 0.0) -> torch.Tensor:
    """The embedding of 1.5 seconds of a file: [1, layers, dim]."""
    piece = audio.read(path)
    first = round(offset * piece.sample_rate)
    part = piece.samples[..., first : first + round(1.5 * piece.sample_rate)]
    return catalog.encoder("spectral").encode(audio.Audio(part, piece.sample_rate))


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    _write(folder / "one.wav", seed=1)
    _write(folder / "album" / "two.flac", seed=2)
    _write(folder / "album" / "þrír & more.ogg", seed=3, rate=44_100, channels=2)
    _write(folder / "album" / "four.MP3", seed=4)
    _write(folder / "short.wav", seconds=0.8, seed=5)
    (folder / "cover.jpg").write_bytes(b"\xff\xd8")
    return folder


def test_each_song_is_heard_as_if_it_were_alone(music: Path, tmp_path: Path) -> None:
    told = _embed(music, tmp_path / "store", "--batch", "2")

    store = SongStore.open(tmp_path / "store")
    files = {"one": "one.wav", "album/two": "album/two.flac", "album/four": "album/four.MP3", "short": "short.wav"}
    files["album/þrír & more"] = "album/þrír & more.ogg"
    assert set(store.ids) == set(files)
    for name, file in files.items():
        embedding = _heard_alone(music / file)
        assert torch.allclose(store.take(store.rows([name])), embedding, rtol=1e-3, atol=1e-4)
    assert (store.about["encoder"], store.about["seconds"], store.about["notes"]) == ("spectral", 1.5, {"offset": 0.0})
    assert f"5 songs x {store.shape[1]} x {store.shape[2]}" in told


def test_the_beginning_may_be_passed_over(music: Path, tmp_path: Path) -> None:
    told = _embed(music, tmp_path / "store", "--offset", "1")

    store = SongStore.open(tmp_path / "store")
    alone = _heard_alone(music / "one.wav", offset=1.0)
    assert torch.allclose(store.take(store.rows(["one"])), alone, rtol=1e-3, atol=1e-4)
    assert "short: " in told
    assert "expected more than 1.0 s of sound, got 0.80 s" in told


def test_files_that_cannot_be_heard_are_listed_with_the_reason_and_left_out(music: Path, tmp_path: Path) -> None:
    (music / "empty.mp3").touch()
    (music / "essay.mp3").write_text("a text that says it is music")
    (music / "apple.m4a").write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(100))
    soundfile.write(music / "quiet.wav", np.zeros(RATE), RATE)
    soundfile.write(music / "nothing.wav", np.zeros(0), RATE)
    soundfile.write(music / "nan.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
    _write(music / "blink.wav", seconds=0.001)
    _write(music / "one.flac", seed=9)
    (music / "folder.wav").mkdir()
    (music / "gone.wav").symlink_to(music / "nowhere.wav")

    told = _embed(music, tmp_path / "store")

    assert len(SongStore.open(tmp_path / "store")) == 5
    assert "8 files are left out:" in told
    for name, why in {
        "empty": "cannot read it",
        "essay": "cannot read it",
        "apple": "cannot read it",
        "quiet": "expected audible sound, got silence",
        "nothing": "expected some audio",
        "nan": "expected finite samples",
        "blink": "expected at least",
        "one.wav": "one.flac has the same id 'one'",
    }.items():
        line = next(line for line in told.splitlines() if line.startswith(f"  {name}: "))
        assert why in line


def test_what_was_heard_and_what_was_skipped_is_not_tried_again(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (music / "essay.mp3").write_text("a text that says it is music")
    first = _embed(music, tmp_path / "store")
    _write(music / "new.wav", seed=8)
    read: list[str] = []

    def noted(path: Path, *, max_seconds: float) -> audio.Audio:
        read.append(path.name)
        return whole(path, max_seconds=max_seconds)

    whole = audio.read
    monkeypatch.setattr(audio, "read", noted)

    again = _embed(music, tmp_path / "store")

    assert read == ["new.wav"]
    assert len(SongStore.open(tmp_path / "store")) == 6
    assert [line for line in first.splitlines() if "essay" in line] == [
        line for line in again.splitlines() if "essay" in line
    ]


def test_after_ctrl_c_the_same_command_goes_on(tmp_path: Path) -> None:
    folder, out = tmp_path / "music", tmp_path / "store"
    for number in range(60):
        _write(folder / f"{number}.wav", seed=number)
    command = [sys.executable, settings.BASE_DIR / "manage.py", "embed_songs", folder, "--out", out, "--batch", "1"]
    begun = subprocess.Popen([*command, "--seconds", "1.5"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    log = out / "written.jsonl"
    deadline = time.monotonic() + 60
    while not (log.is_file() and log.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.005)

    begun.send_signal(signal.SIGINT)
    _, said = begun.communicate(timeout=60)

    assert begun.returncode == 130, said.decode()
    assert b"The same command goes on" in said
    done = len(log.read_text().splitlines())
    assert 1 <= done < 60
    _embed(folder, out, "--batch", "1")
    store = SongStore.open(out)
    assert sorted(store.ids, key=int) == [str(number) for number in range(60)]
    embedding = _heard_alone(folder / "59.wav")
    assert torch.allclose(store.take(store.rows(["59"])), embedding, rtol=1e-3, atol=1e-4)


def test_a_csv_names_the_songs_and_which_to_take(music: Path, tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text(
        "\ufefffile,title,id\none.wav,One,x-1\n\nalbum/two.flac,Two,x-2\nnot.wav,No,x-3\n"
    )

    told = _embed(music, tmp_path / "store", "--ids", str(tmp_path / "ids.csv"))

    assert set(SongStore.open(tmp_path / "store").ids) == {"x-1", "x-2"}
    assert "x-3: " in told
    assert "there is none" in told


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"path,name\na,b\n", "expected the columns file and id"),
        (b"file,id\n", "expected files and ids, got none"),
        (b"file,id\na.wav\n", "line 2: expected a file and an id"),
        (b"file,id\na.wav,x\nb.wav,x\n", "line 3: expected each id once, got 'x' again"),
        ("file,id\na.wav,x\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_csv_that_names_nothing_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_bytes(content)

    with pytest.raises(ValueError, match=said) as refused:
        hearing.find(tmp_path, ids=tmp_path / "ids.csv")

    assert "ids.csv" in str(refused.value)


def test_embeddings_as_json_become_a_store_too(tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "a.json").write_text(json.dumps([[1.0, 2.0, 3.0]] * 13))

    told = _embed(tmp_path / "songs", tmp_path / "store", "--from-json")

    store = SongStore.open(tmp_path / "store")
    assert (store.ids, store.shape, store.about["encoder"]) == (("a",), (1, 13, 3), "mert")
    assert "1 songs x 13 x 3" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "expected a folder of sound files, there is none"),
        (("empty",), "expected sound files"),
        (("music", "--encoder", "spectrl"), "did you mean 'spectral'"),
        (("music", "--encoder", "spectral", "--encoder-model", "m"), "unexpected keyword argument 'model'"),
        (("music", "--seconds", "0"), "expected seconds above 0"),
        (("music", "--offset", "-1"), "an offset from 0 on"),
        (("music", "--batch", "0"), "expected a batch of at least 1 song"),
        (("music", "--ids", "nowhere.csv"), "nowhere.csv: expected a CSV"),
        (("empty", "--from-json"), "expected a folder of JSON files"),
        (("silence",), "at least one song with an embedding"),
    ],
)
def test_what_cannot_be_embedded_is_a_message(
    arguments: tuple[str, ...], said: str, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "silence").mkdir()
    soundfile.write(tmp_path / "silence" / "a.wav", np.zeros(RATE), RATE)

    with pytest.raises(CommandError, match=said):
        _embed(Path(arguments[0]), Path("store"), *arguments[1:])


def test_a_store_that_was_heard_otherwise_is_not_mixed_with(music: Path, tmp_path: Path) -> None:
    _embed(music, tmp_path / "store")

    with pytest.raises(CommandError, match=r"same kind of store, got notes \{'offset': 1.0\}"):
        _embed(music, tmp_path / "store", "--offset", "1")
