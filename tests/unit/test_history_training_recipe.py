"""From files to an aligner in a file, in each format, and its figures again from that file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models_store import checkpoints
from models_store.aligner import history_recipe, material, shipped
from models_store.aligner.history_recipe import HistoryRecipe, Wiring
from models_store.aligner.material import Material, Selection
from models_store.aligner.method import Method
from models_store.aligner.model import AlignerConfig, AlignerV2
from models_store.aligner.song_store import SongStore
from tests.random_models import prototype_aligner
from tests.unit import listening_files, small_world

SMALL = HistoryRecipe(
    wiring=Wiring(emb_size=6, projection=8, hidden=10),
    method=Method(batch=32, pool=48, steps=5, epochs=2, lr=3e-3, known=10),
)


def write_lastfm(folder: Path) -> Path:
    file = folder / "plays.tsv"
    file.write_text("".join(listening_files.lastfm_lines()))
    return file


WRITERS: dict[str, Callable[[Path], Path]] = {
    "lastfm": write_lastfm,
    "play-counts": lambda folder: listening_files.write_play_counts(folder / "clean_stats.csv"),
    "listenbrainz": listening_files.write_dump,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return listening_files.store(tmp_path_factory.mktemp("songs") / "store").folder


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return listening_files.write_play_counts(tmp_path_factory.mktemp("plays") / "clean_stats.csv")


@pytest.fixture(scope="module")
def given(counts: Path, store: Path) -> Material:
    return material.read(f"play-counts:{counts}", store)


@pytest.fixture(scope="module")
def made(given: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("aligner") / "aligner.pt"
    history_recipe.make(SMALL, given, out=out, device="cpu")
    return out


@pytest.mark.parametrize("kind", WRITERS)
def test_an_aligner_is_made_of_every_format_and_measured_again_from_its_file(
    kind: str, store: Path, tmp_path: Path
) -> None:
    read = material.read(f"{kind}:{WRITERS[kind](tmp_path)}", store)
    out = tmp_path / "aligner.pt"

    trained = history_recipe.make(SMALL, read, out=out, device="cpu")
    again = history_recipe.check(out, read, device="cpu")

    assert (again.known, again.new) == (trained.known, trained.new)
    assert trained.new is not None
    assert trained.known.listeners + trained.new.listeners == 30
    assert not (tmp_path / "aligner.pt.training").exists()
    # Every tenth song has no MusicBrainz id in the first format, and the store knows no other name of it.
    assert trained.known.songs == (72 if kind == "lastfm" else 80)


def test_a_file_of_ours_says_how_it_was_made_and_what_was_held_out(made: Path, counts: Path) -> None:
    notes, config = checkpoints.load(made).notes, shipped.load(made).config

    assert (config.users, config.emb_size, config.hidden) == (27, 6, 10)
    assert (notes["histories"], notes["encoder"], notes["seed"]) == ("play-counts:clean_stats.csv", "numbers", 1)
    assert notes["method"]["negatives"] == 20
    assert len(notes["users"]) == 27
    assert not set(notes["users"]) & set(notes["held_out"]["users"])
    assert str(counts.parent) not in json.dumps({name: notes[name] for name in ("histories", "method")})


def test_a_file_is_measured_with_histories_in_another_order_and_with_fewer_users(
    made: Path, given: Material, store: Path, tmp_path: Path
) -> None:
    rows = given.path.read_text().splitlines() if given.path else []
    turned = tmp_path / "turned.csv"
    turned.write_text("\n".join([rows[0], *reversed(rows[1:])]) + "\n")
    fewer = tmp_path / "fewer.csv"
    fewer.write_text("\n".join(row for row in rows if "user_000003" not in row) + "\n")

    whole = history_recipe.check(made, given, device="cpu").known
    other = history_recipe.check(made, material.read(f"play-counts:{turned}", store), device="cpu").known
    less = history_recipe.check(made, material.read(f"play-counts:{fewer}", store), device="cpu").known

    assert whole is not None
    assert other is not None
    assert less is not None
    assert other.auc == pytest.approx(whole.auc, abs=1e-5)
    assert less.listeners == whole.listeners - 1


def test_splits_of_somebody_else_are_kept_to(given: Material, tmp_path: Path) -> None:
    songs, users = listening_files.SONGS, listening_files.USERS
    chosen = {"songs": {"train": songs[:300], "test": songs[300:]}, "users": {"train": users[2:], "test": users[:2]}}
    splits = tmp_path / "splits.json"
    splits.write_text(json.dumps(chosen))
    recipe = replace(SMALL, selection=Selection(splits=splits))

    trained = history_recipe.make(recipe, given, out=tmp_path / "aligner.pt", device="cpu")
    notes = checkpoints.load(tmp_path / "aligner.pt").notes

    assert set(notes["held_out"]["test"]) == set(songs[300:])
    assert set(notes["held_out"]["validation"]) < set(songs[:300])
    assert notes["held_out"]["users"] == list(users[:2])
    assert trained.known.songs == 100


def test_only_what_is_selected_is_trained_on(given: Material, tmp_path: Path) -> None:
    recipe = replace(SMALL, selection=Selection(most_songs=100, new_users=0.0))

    trained = history_recipe.make(recipe, given, out=tmp_path / "aligner.pt", device="cpu")

    assert (trained.known.songs, trained.new) == (20, None)


@pytest.mark.parametrize("aggregation", ["gating", "cross-attention"])
def test_the_prototypes_checkpoint_is_measured_for_its_users_in_their_order(aggregation: str, tmp_path: Path) -> None:
    path = prototype_aligner.write(tmp_path / "theirs.pt", aggregation=aggregation, projection="ln")
    songs = torch.randn(60, 13, 8, generator=torch.Generator().manual_seed(0))
    names = [f"song {song}" for song in range(60)]
    with SongStore.writer(tmp_path / "store", layers=13, dim=8, encoder="mert") as writer:
        writer.add(names, songs)
        writer.finish()
    aligner = shipped.load(path)
    likes = aligner.cosines(aligner.reference_users(), songs).topk(15, dim=1).indices
    rows = [f"u{user},{names[song]},2" for user in range(9) for song in likes[user].tolist()]
    (tmp_path / "plays.csv").write_text("\n".join(["userid,id,count", *rows]) + "\n")
    read = material.read(f"play-counts:{tmp_path / 'plays.csv'}", tmp_path / "store")

    measured = history_recipe.check(path, read, selection=Selection(new_users=0.0), device="cpu")

    assert measured.known is not None
    assert measured.known.auc > 0.98  # each row's own favourites
    assert measured.new is None


def test_users_that_no_row_is_known_of_are_measured_as_users_held_out(given: Material, tmp_path: Path) -> None:
    config = AlignerConfig(users=3, layers=small_world.LAYERS, dim=small_world.DIM)
    shipped.save(AlignerV2(config, seed=0), tmp_path / "other.pt", notes={})

    measured = history_recipe.check(tmp_path / "other.pt", given, known=10, device="cpu")

    assert measured.known is None
    assert measured.new is not None
    assert measured.new.listeners == 30


def test_a_store_of_another_encoder_is_refused(made: Path, given: Material, counts: Path, tmp_path: Path) -> None:
    with SongStore.writer(tmp_path / "store", layers=3, dim=4, encoder="mert") as writer:
        writer.add(listening_files.SONGS, torch.zeros(400, 3, 4))
        writer.finish()
    with SongStore.writer(tmp_path / "alike", layers=small_world.LAYERS, dim=small_world.DIM, encoder="mert") as writer:
        writer.add(listening_files.SONGS, small_world.songs().embeddings)
        writer.finish()

    with pytest.raises(ValueError, match="expected embeddings of the encoder 'numbers', got 'mert'"):
        material.read(f"play-counts:{counts}", tmp_path / "store", encoder="numbers")
    for folder in ("store", "alike"):
        with pytest.raises(ValueError, match=r"expected embeddings of numbers, 2 x 12; .* has those of mert"):
            history_recipe.check(made, material.read(f"play-counts:{counts}", tmp_path / folder), device="cpu")


def test_embeddings_that_are_no_numbers_stop_a_training_and_write_nothing(counts: Path, tmp_path: Path) -> None:
    songs = listening_files.store(tmp_path / "store")
    with (songs.folder / "embeddings.npy").open("r+b") as file:
        file.seek(200)
        file.write(b"\xff\xff" * 5000)

    read = material.read(f"play-counts:{counts}", songs.folder)
    with pytest.raises(ValueError, match="expected finite embeddings"):
        history_recipe.make(SMALL, read, out=tmp_path / "aligner.pt", device="cpu")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


@pytest.mark.parametrize("name", ["plays.csv", "mp3:plays.csv", "play-counts:"])
def test_histories_that_name_no_format_or_no_file_are_refused(name: str, store: Path) -> None:
    with pytest.raises(
        ValueError, match=r"expected FORMAT:PATH with a format of lastfm, play-counts, listenbrainz, got"
    ):
        material.read(name, store)


def test_songs_that_the_store_does_not_know_are_refused(store: Path, tmp_path: Path) -> None:
    (tmp_path / "plays.csv").write_text("userid,id,count\nada,another,3\nbob,third,2\n")
    read = material.read(f"play-counts:{tmp_path / 'plays.csv'}", store)

    with pytest.raises(ValueError, match="expected embeddings of the songs listened to"):
        history_recipe.make(SMALL, read, out=tmp_path / "aligner.pt", device="cpu")


def test_one_user_alone_can_be_trained_on_if_nobody_is_to_be_held_out(
    counts: Path, store: Path, tmp_path: Path
) -> None:
    rows = counts.read_text().splitlines()
    (tmp_path / "one.csv").write_text("\n".join([rows[0], *(row for row in rows if "user_000004" in row)]) + "\n")
    read = material.read(f"play-counts:{tmp_path / 'one.csv'}", store)

    with pytest.raises(ValueError, match="expected more users than 0 to stop by and 1 to test on, got 1"):
        history_recipe.make(SMALL, read, out=tmp_path / "aligner.pt", device="cpu")
    alone = replace(SMALL, selection=Selection(new_users=0.0))
    with pytest.raises(ValueError, match="expected somebody who listened to some of"):
        history_recipe.make(alone, read, out=tmp_path / "aligner.pt", device="cpu")
