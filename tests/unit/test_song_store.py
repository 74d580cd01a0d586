"""A store of song embeddings: written in batches, gone on with after a kill, read where it is needed."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models_store.aligner.song_store import SongStore
from models_store.aligner.store_writer import StoreWriter

LAYERS, DIM = 3, 5


def _embeddings(count: int, *, seed: int = 0) -> Tensor:
    return torch.randn(count, LAYERS, DIM, generator=torch.Generator().manual_seed(seed)).half().float()


def _writer(folder: Path, **changed: object) -> StoreWriter:
    told = {"layers": LAYERS, "dim": DIM, "encoder": "numbers", "seconds": 30.0, **changed}
    return SongStore.writer(folder, **told)  # type: ignore[arg-type]


def _ids(first: int, last: int) -> list[str]:
    return [f"album/söng {number}" for number in range(first, last)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole store of ten songs."""
    with _writer(tmp_path / "store") as writer:
        writer.add(_ids(0, 10), _embeddings(10))
        writer.finish()
    return tmp_path / "store"


def test_what_was_written_is_read_row_by_row(folder: Path) -> None:
    store = SongStore.open(folder)

    assert store.ids == tuple(_ids(0, 10))
    assert store.shape == (10, LAYERS, DIM)
    assert store.take(torch.tensor([7, 0, 7])).equal(_embeddings(10)[[7, 0, 7]])
    assert store.take([]).shape == (0, LAYERS, DIM)
    assert store.rows(["album/söng 3", "album/söng 1"]).tolist() == [3, 1]
    assert "album/söng 9" in store
    assert "album/söng 10" not in store
    assert {**store.about, "complete": True} == store.about
    assert (store.about["encoder"], store.about["seconds"]) == ("numbers", 30.0)


def test_the_blocks_of_a_store_are_all_of_it(folder: Path) -> None:
    blocks = list(SongStore.open(folder).blocks(size=4))

    assert [start for start, _ in blocks] == [0, 4, 8]
    assert torch.cat([block for _, block in blocks]).equal(_embeddings(10))


def test_numpy_reads_the_file_as_any_other(folder: Path) -> None:
    content = np.load(folder / "embeddings.npy")

    assert content.dtype == np.float16
    assert torch.from_numpy(content).float().equal(_embeddings(10))


def test_half_precision_is_off_by_at_most_one_part_in_two_thousand(tmp_path: Path) -> None:
    numbers = 20 * torch.randn(50, LAYERS, DIM, generator=torch.Generator().manual_seed(1))
    with _writer(tmp_path) as writer:
        writer.add(_ids(0, 50), numbers)
        writer.finish()

    read = SongStore.open(tmp_path).take(range(50))

    assert float(((read - numbers).abs() / numbers.abs().clamp_min(6e-5)).max()) <= 2**-11


def test_a_store_travels_to_another_process_as_its_folder(folder: Path) -> None:
    packed = pickle.dumps(SongStore.open(folder))

    assert len(packed) < 400
    assert pickle.loads(packed).take([4]).equal(_embeddings(10)[[4]])  # noqa: S301 - ours


def test_a_random_batch_reads_no_more_than_its_rows(tmp_path: Path) -> None:
    rows, layers, dim = 2000, 13, 768
    with SongStore.writer(tmp_path, layers=layers, dim=dim, encoder="mert") as writer:
        for start in range(0, rows, 500):
            writer.add([str(number) for number in range(start, start + 500)], torch.ones(500, layers, dim))
        writer.finish()
    code = (
        "import sys; from models_store.aligner.song_store import SongStore\n"
        "def own(): return int([l for l in open('/proc/self/status') if l.startswith('RssAnon')][0].split()[1])\n"
        "before = own(); store = SongStore.open(sys.argv[1])\n"
        "for start in range(0, 2000, 50): store.take(range(start, start + 50))\n"
        "print(own() - before)"
    )
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is told by Linux only")

    grown = int(subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, check=True).stdout)

    assert grown < 20_000  # kB; the store has 40,000


def test_a_writer_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, torch; from models_store.aligner.song_store import SongStore\n"
        "from tests.unit import test_song_store as here\n"
        "writer = here._writer(here.Path(sys.argv[1]))\n"
        "writer.add(here._ids(0, 4), here._embeddings(10)[:4]); writer.skip('bad', 'silence')\n"
        "writer._embeddings.write(b'half a song'); writer._embeddings.flush()\n"
        'writer._log.write(b\'{"id": "album\'); writer._log.flush()\n'
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    assert ended.returncode == -signal.SIGKILL
    with pytest.raises(ValueError, match="not finished"):
        SongStore.open(tmp_path)

    with _writer(tmp_path) as writer:
        assert list(writer.done) == _ids(0, 4)
        assert writer.skipped == {"bad": "silence"}
        assert "bad" in writer
        writer.add(_ids(4, 10), _embeddings(10)[4:])
        writer.finish()

    store = SongStore.open(tmp_path)
    assert store.ids == tuple(_ids(0, 10))
    assert store.take(range(10)).equal(_embeddings(10))


def test_songs_are_added_to_a_whole_store_which_can_be_read_all_the_while(folder: Path) -> None:
    with _writer(folder) as writer:
        writer.add(_ids(10, 12), _embeddings(2, seed=1))
        assert len(SongStore.open(folder)) == 10
        writer.finish()

    store = SongStore.open(folder)
    assert store.ids == tuple(_ids(0, 12))
    assert store.take([11, 0]).equal(torch.stack([_embeddings(2, seed=1)[1], _embeddings(10)[0]]))


def test_what_was_skipped_may_be_added_after_all(tmp_path: Path) -> None:
    with _writer(tmp_path) as writer:
        writer.skip("late", "silence")
    with _writer(tmp_path) as writer:
        writer.add(["late"], _embeddings(1))
    with _writer(tmp_path) as writer:
        assert (list(writer.done), writer.skipped) == (["late"], {})


@pytest.mark.parametrize(
    ("ids", "embeddings", "said"),
    [
        (["a"], torch.zeros(2, LAYERS, DIM), r"shape \(1, 3, 5\), got \(2, 3, 5\)"),
        (["a"], torch.zeros(1, DIM, LAYERS), r"got \(1, 5, 3\)"),
        (["a", "b"], torch.stack([torch.zeros(LAYERS, DIM), torch.full((LAYERS, DIM), torch.nan)]), "'b' has others"),
        (["a"], torch.full((1, LAYERS, DIM), 70_000.0), "within"),
        (["a", "a"], torch.zeros(2, LAYERS, DIM), "'a' again"),
        (["album/söng 1"], torch.zeros(1, LAYERS, DIM), "'album/söng 1' again"),
    ],
)
def test_nothing_is_written_of_a_batch_with_a_fault(
    folder: Path, ids: list[str], embeddings: Tensor, said: str
) -> None:
    with _writer(folder) as writer:
        with pytest.raises(ValueError, match=said) as refused:
            writer.add(ids, embeddings)
        assert str(folder) in str(refused.value)
        assert list(writer.done) == _ids(0, 10)


@pytest.mark.parametrize("changed", [{"dim": 6}, {"encoder": "mert"}, {"seconds": 10.0}, {"notes": {"offset": 1}}])
def test_a_store_of_another_kind_is_not_gone_on_with(folder: Path, changed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"same kind of store, got {next(iter(changed))}"):
        _writer(folder, **changed)


def test_two_cannot_write_at_once(tmp_path: Path) -> None:
    with _writer(tmp_path), pytest.raises(ValueError, match="another process does"):
        _writer(tmp_path)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(ValueError, match="expected an empty folder or a store"):
        _writer(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_store_without_a_song_is_not_finished(tmp_path: Path) -> None:
    with _writer(tmp_path) as writer, pytest.raises(ValueError, match="at least one song"):
        writer.finish()


def _cut_below_the_log(folder: Path) -> None:
    os.truncate(folder / "embeddings.npy", 128 + 9 * LAYERS * DIM * 2)


def _other_log(folder: Path) -> None:
    (folder / "written.jsonl").write_text('{"id": "a"}\n["b"]\n')


@pytest.mark.parametrize(
    ("damage", "said"),
    [(_cut_below_the_log, "expected 428 bytes for 10 songs, got 398: it was cut"), (_other_log, "line 2: expected")],
)
def test_a_damaged_store_is_not_gone_on_with(folder: Path, damage: object, said: str) -> None:
    damage(folder)  # type: ignore[operator]

    with pytest.raises(ValueError, match=said):
        _writer(folder)


def _cut(folder: Path) -> None:
    os.truncate(folder / "embeddings.npy", 200)


def _other_ids(folder: Path) -> None:
    (folder / "ids.json").write_text(json.dumps(_ids(0, 9)))


def _same_ids(folder: Path) -> None:
    (folder / "ids.json").write_text(json.dumps(["one"] * 10))


def _numbers_for_ids(folder: Path) -> None:
    (folder / "ids.json").write_text(json.dumps(list(range(10))))


def _broken_ids(folder: Path) -> None:
    (folder / "ids.json").write_text('["album/s')


def _other_type(folder: Path) -> None:
    np.save(folder / "embeddings.npy", np.zeros((10, LAYERS, DIM), np.float64))


def _pickled(folder: Path) -> None:
    np.save(folder / "embeddings.npy", np.array([{"no": "number"}], dtype=object), allow_pickle=True)


def _without_embeddings(folder: Path) -> None:
    (folder / "embeddings.npy").unlink()


def _other_about(folder: Path) -> None:
    (folder / "about.json").write_text("[]")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_cut, "embeddings.npy: expected a whole NumPy file"),
        (_other_ids, r"embeddings.npy: expected float16 \(9, 3, 5\)"),
        (_same_ids, "ids.json: expected each id once"),
        (_numbers_for_ids, "ids.json: expected a list of strings"),
        (_broken_ids, "ids.json: expected a JSON list"),
        (_other_type, "got float64"),
        (_pickled, "embeddings.npy: expected a whole NumPy file"),
        (_without_embeddings, "embeddings.npy: expected a whole NumPy file"),
        (_other_about, "about.json: expected a JSON dict"),
    ],
)
def test_a_damaged_store_is_refused_with_its_path(folder: Path, damage: object, said: str) -> None:
    damage(folder)  # type: ignore[operator]

    with pytest.raises(ValueError, match=said) as refused:
        SongStore.open(folder)

    assert str(folder) in str(refused.value)


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no about\.json in it"):
        SongStore.open(tmp_path / "nowhere")


def test_numbers_that_went_bad_on_disk_are_refused(folder: Path) -> None:
    content = np.load(folder / "embeddings.npy")
    content[3, 1, 2] = np.nan
    np.save(folder / "embeddings.npy", content)

    store = SongStore.open(folder)

    assert store.take([2, 4]).isfinite().all()
    with pytest.raises(ValueError, match="expected finite embeddings"):
        store.take([3])


@pytest.mark.parametrize("rows", [[10], [-1], [[0, 1]]])
def test_rows_that_are_not_there_are_refused(folder: Path, rows: list[int]) -> None:
    with pytest.raises(ValueError, match=r"expected rows \[n\] in 0 to 9"):
        SongStore.open(folder).take(rows)


def test_songs_that_are_not_there_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="got 'nobody'"):
        SongStore.open(folder).rows(["nobody"])
