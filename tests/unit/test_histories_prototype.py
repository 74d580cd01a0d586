"""The prototype's data beside its play counts: who chose what to train on, and a JSON of embeddings for each song."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from models_store.aligner.readers import play_counts, song_files
from models_store.aligner.song_store import SongStore
from tests.unit import listening_files
from tests.unit.listening_files import SONGS

CHOSEN = {"train": ("x", "y"), "test": ("z",)}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"train": ["x", "y"], "test": ["z"]}, play_counts.Splits(songs=CHOSEN)),
        ({"train_ids": ["x", "y"], "testing": ["z"]}, play_counts.Splits(songs=CHOSEN)),
        ({"x": "train", "y": "train", "z": "test"}, play_counts.Splits(songs=CHOSEN)),
        (
            {"train": ["x"], "val": ["y"], "test": ["z"]},
            play_counts.Splits(songs={"train": ("x",), "validation": ("y",), "test": ("z",)}),
        ),
        ({"train": ["x", "y", "gone"], "test": ["z"]}, play_counts.Splits({**CHOSEN, "train": ("x", "y", "gone")})),
        ({"train": ["11"], "test": [12]}, play_counts.Splits(users={"train": ("11",), "test": ("12",)})),
        ({"train": [0, 1, 3], "test": [2, 4]}, play_counts.Splits(songs=CHOSEN)),
        ({"train": [0, 1, 2], "test": [3, 4]}, play_counts.Splits(users={"train": ("11",), "test": ("12",)})),
        (
            {"songs": {"train": ["x", "y"], "test": ["z"]}, "users": {"train": [11], "test": [12]}},
            play_counts.Splits(songs=CHOSEN, users={"train": ("11",), "test": ("12",)}),
        ),
    ],
)
def test_splits_are_read_in_every_obvious_form(
    content: dict[str, object], expected: play_counts.Splits, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("userid,id,count\n11,x,1\n11,y,1\n11,z,1\n12,x,2\n12,z,1\n")
    (tmp_path / "splits.json").write_text(json.dumps(content))

    assert play_counts.read_splits(tmp_path / "splits.json", counts=tmp_path / "a.csv") == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b'{"train": ["x"', "cannot read it"),
        (b"[1, 2]", "expected an object such as"),
        (b'{"train": ["x"], "else": ["y"]}', "expected an object such as .* got train, else"),
        (b'{"train": ["x"], "val": ["y"]}', "expected train and test"),
        (b'{"test": ["x"], "train": ["y"], "training": ["z"]}', "one list for train, got two"),
        (b'{"train": "x", "test": ["y"]}', "expected a list of ids"),
        (b'{"train": [1.5], "test": ["y"]}', "expected a list of ids"),
        (b'{"train": [], "test": []}', "got empty lists"),
        (b'{"train": ["p"], "test": ["q"]}', "of 2 entries 0 are songs, 0 users and 0 rows"),
        (b'{"train": [0, 3], "test": [1, 2]}', "both are spread over several"),
        ('{"train": ["x"]}'.encode("utf-16"), "UTF-16"),
        ('{"train": ["ä"]}'.encode("latin-1"), "expected text in UTF-8, byte 12 is e4"),
    ],
)
def test_splits_in_no_known_form_are_refused_with_their_path(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("userid,id,count\nann,x,1\nann,y,1\nbob,x,1\nbob,y,1\n")
    (tmp_path / "splits.json").write_bytes(content)

    with pytest.raises(ValueError, match=said) as refused:
        play_counts.read_splits(tmp_path / "splits.json", counts=tmp_path / "a.csv")

    assert str(tmp_path / "splits.json") in str(refused.value)


def test_the_prototypes_embeddings_become_a_store(tmp_path: Path) -> None:
    embeddings = listening_files.write_song_files(tmp_path / "songs", count=150)

    store = song_files.convert(tmp_path / "songs", tmp_path / "store", model="m-a-p/MERT-v1-95M")

    assert store.take(store.rows(SONGS[:150])).equal(embeddings.half().float())
    assert (store.about["encoder"], store.about["model"]) == ("mert", "m-a-p/MERT-v1-95M")


def test_a_conversion_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    embeddings = listening_files.write_song_files(tmp_path / "songs", count=150)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        song_files.convert(tmp_path / "songs", tmp_path / "store", stop=stop)
    sorted((tmp_path / "songs").glob("*.json"))[1].write_text("nothing")  # it was converted: nobody reads it again

    store = song_files.convert(tmp_path / "songs", tmp_path / "store")

    assert store.take(store.rows(SONGS[:150])).equal(embeddings.half().float())


def test_many_songs_in_one_file_and_a_song_in_a_batch_of_one_are_read(tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    one = [[1.0, 2.0], [3.0, 4.0]]
    (tmp_path / "songs" / "a.json").write_text(json.dumps({"metadata": {"sr": 24000}, "x": one, "y": [one]}))
    (tmp_path / "songs" / "b.json").write_text(json.dumps({"embedding": one}))

    store = song_files.convert(tmp_path / "songs", tmp_path / "store")

    assert store.ids == ("x", "y", "b")
    assert store.take(range(3)).equal(torch.tensor([one] * 3))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ("[[1, 2], [3", "cannot read it"),
        ("[[1, 2], [3]]", "cannot read them"),
        ("[1, 2]", r"got shape \(2,\)"),
        ("[]", r"got shape \(0,\)"),
        ("{}", "got nothing"),
        ('[["a", "b"]]', "cannot read them"),
        ("[[1, 2, 3], [4, 5, 6]]", r"expected \(2, 2\) as in the first file, got \(2, 3\)"),
        ("[[1, NaN], [3, 4]]", "expected finite numbers"),
        ("[[1, 2], [3, -1e6]]", "expected finite numbers"),
        ('{"x": [[1, 2], [3, 4]], "0": [[1, 2], [3, 4]]}', "'0' again"),
    ],
)
def test_embeddings_with_a_fault_are_refused_with_the_path_of_the_file(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "0.json").write_text("[[1, 2], [3, 4]]")
    (tmp_path / "1.json").write_text(content)

    with pytest.raises(ValueError, match=said) as refused:
        song_files.convert(tmp_path, tmp_path / "store")

    assert str(tmp_path / "1.json") in str(refused.value)
    with pytest.raises(ValueError, match=r"not finished|no about"):
        SongStore.open(tmp_path / "store")


def test_a_folder_without_embeddings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a folder of JSON files"):
        song_files.convert(tmp_path, tmp_path / "store")
