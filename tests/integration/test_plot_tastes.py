"""The maps of listeners and songs: by command, by a conductor, and on the panel."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command
from PIL import Image

from laboratory import tasks, taste_pictures, tastes
from listening import listeners, profiles
from listening.models import Listener, ReferenceListener
from models_store.aligner import shipped, world
from models_store.aligner.concepts import Concepts
from models_store.aligner.model import AlignerConfig, AlignerV2
from models_store.aligner.song_store import SongStore

pytestmark = pytest.mark.django_db

USERS, SONGS = 12, 20


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    """A small aligner with twelve reference listeners, and concepts beside it."""
    aligner = AlignerV2(AlignerConfig(users=USERS, layers=2, dim=4, emb_size=6, hidden=8, projection=6), seed=3)
    path = tmp_path / "small.pt"
    shipped.save(aligner, path, notes={"kinds": ["follower"] * 8 + ["mixture"] * 4})
    concepts(seed=5).save(shipped.concepts_beside(path))
    return path


def concepts(*, seed: int) -> Concepts:
    rng = torch.Generator().manual_seed(seed)
    songs = torch.randn(SONGS, 2, 4, generator=rng)
    has = torch.zeros(3, SONGS, dtype=torch.bool)
    has[0, :8], has[1, 8:15], has[2, ::2] = True, True, True
    return Concepts(
        names=("jazz", "techno", "piano"),
        slots=("genre", "genre", "instruments"),
        embeddings=songs,
        has=has,
        lacks=~has,
        readouts=torch.zeros(3, 2 * 4 + 1),
        audible=torch.ones(3),
        centre=torch.zeros(8),
        axes=torch.zeros(2, 8),
    )


def plot(*arguments: object, **options: object) -> None:
    call_command("plot_tastes", *map(str, arguments), verbosity=0, **options)


def test_the_command_draws_a_picture_by_each_method(checkpoint, tmp_path, capsys):
    out = tmp_path / "maps"
    plot("--checkpoint", checkpoint, "--out", out, "--method", "pca", "--method", "tsne", "--seed", 7)
    for name in ("pca.png", "tsne.png"):
        with Image.open(out / name) as image:
            assert image.format == "PNG"
    assert "12 reference listeners, 20 songs, 0 listeners marked" in capsys.readouterr().out
    about = json.loads((out / "about.json").read_text())
    assert (about["users"], about["songs"], about["seed"], about["missing"]) == (USERS, SONGS, 7, [])
    assert (about["aligner"], about["songs_from"]) == ("small.pt", "small.concepts.pt")


def test_genres_come_from_the_concepts_and_kinds_from_the_checkpoint(checkpoint):
    scene = tastes.scene(checkpoint=checkpoint, seed=1)
    assert scene.genres == ("jazz",) * 8 + ("techno",) * 7 + ("",) * 5
    assert scene.kinds == ("follower",) * 8 + ("mixture",) * 4
    assert np.allclose(np.linalg.norm(scene.users, axis=1), 1.0, atol=1e-6)


def test_kinds_come_from_the_database_where_the_checkpoint_has_none(checkpoint):
    shipped.save(shipped.load(checkpoint), checkpoint, notes={})
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    for number, kind in ((0, "hater"), (5, "narrow")):
        ReferenceListener.objects.create(
            aligner=digest, encoder="spectral", number=number, kind=kind, embedding=[1.0] * 6, projected=[1.0] * 6
        )
    kinds = tastes.scene(checkpoint=checkpoint, seed=1).kinds
    assert (kinds[0], kinds[5], set(kinds) - {"hater", "narrow"}) == ("hater", "narrow", {""})


def test_songs_may_come_from_a_store_and_are_drawn_where_they_are_too_many(checkpoint, tmp_path):
    with SongStore.writer(tmp_path / "store", layers=2, dim=4, encoder="spectral") as writer:
        writer.add([f"song {number}" for number in range(30)], torch.randn(30, 2, 4))
        writer.finish()
    first, again, other = (
        tastes.scene(checkpoint=checkpoint, songs=tmp_path / "store", most=10, seed=seed) for seed in (1, 1, 2)
    )
    assert first.songs.shape == (10, 6)
    assert np.array_equal(first.songs, again.songs)
    assert not np.array_equal(first.songs, other.songs)
    assert set(first.genres) == {""}


def played(file: Path, *, layers: int, dim: int) -> Path:
    songs = world.Songs(
        prompts=("calm jazz", "techno"),
        embeddings=torch.randn(2, layers, dim),
        descriptors=torch.zeros(2, 4),
        said={"genre": (("jazz", "techno"), torch.eye(2, dtype=torch.bool))},
    )
    world.save(file, songs)
    return file


def test_songs_may_come_from_a_file_of_train_aligner(checkpoint, tmp_path):
    songs = played(tmp_path / "songs.pt", layers=2, dim=4)
    assert tastes.scene(checkpoint=checkpoint, songs=songs, seed=1).genres == ("jazz", "techno")
    (tmp_path / "text.pt").write_text("no songs at all")
    with pytest.raises(ValueError, match=r"text\.pt: expected concepts or train_aligner's songs"):
        tastes.scene(checkpoint=checkpoint, songs=tmp_path / "text.pt", seed=1)
    with pytest.raises(ValueError, match=r"small\.pt: expected concepts"):
        tastes.scene(checkpoint=checkpoint, songs=checkpoint, seed=1)
    deaf = played(tmp_path / "other.pt", layers=2, dim=5)
    with pytest.raises(ValueError, match="is this the aligner of another encoder"):
        tastes.scene(checkpoint=checkpoint, songs=deaf, seed=1)


def test_the_listeners_of_an_experiment_are_marked_in_their_own_aligner_only(checkpoint, made, tmp_path):
    listener = listeners.make_guest()
    Listener.objects.filter(pk=listener.pk).update(run=made.runs.create(seed=1))
    config = profiles.aligner_of(listeners.make_guest()).config
    songs = played(tmp_path / "songs.pt", layers=config.layers, dim=config.dim)
    shipped_one = tastes.scene(experiment=made.name, songs=songs, seed=1)
    assert shipped_one.names == (f"listener {listener.pk}",)
    assert shipped_one.marks.shape == (1, shipped_one.users.shape[1])
    assert tastes.scene(checkpoint=checkpoint, experiment=made.name, seed=1).names == ()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--songs", "nowhere.pt"), "nowhere.pt: expected songs"),
        (("--checkpoint", "nowhere.pt"), "nowhere.pt"),
        (("--experiment", "unknown"), "expected the name of an experiment, got 'unknown'"),
        (("--most", 0), "expected at least 1 song, got 0"),
    ],
)
def test_what_cannot_be_drawn_is_said(checkpoint, tmp_path, arguments, reason):
    with pytest.raises(CommandError, match=reason):
        plot("--checkpoint", checkpoint, "--out", tmp_path / "maps", "--method", "pca", *arguments)
    assert not (tmp_path / "maps").exists()


def test_a_missing_library_leaves_the_other_pictures(checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    out = tmp_path / "maps"
    plot("--checkpoint", checkpoint, "--out", out, "--method", "umap", "--method", "pca")
    assert "umap-learn is not installed" in capsys.readouterr().err
    assert [file.name for file in sorted(out.glob("*.png"))] == ["pca.png"]
    with pytest.raises(CommandError, match="nothing was drawn"):
        plot("--checkpoint", checkpoint, "--out", out, "--method", "umap")


# the panel


def test_the_panel_shows_what_was_drawn(staff, checkpoint):
    assert "No map was drawn yet" in staff.get("/laboratory/tastes/").content.decode()
    assert staff.get("/laboratory/tastes/pca.png").status_code == 404
    plot("--checkpoint", checkpoint, "--method", "pca")
    content = staff.get("/laboratory/tastes/").content.decode()
    assert "12 reference listeners of small.pt and 20 songs of small.concepts.pt" in content
    assert 'src="/laboratory/tastes/pca.png' in content
    answer = staff.get("/laboratory/tastes/pca.png")
    assert (answer["Content-Type"], answer.content[:4]) == ("image/png", b"\x89PNG")
    assert staff.get("/laboratory/tastes/about.png").status_code == 404


@pytest.mark.parametrize("address", ["", "pca.png", "draw/"])
def test_only_staff_see_the_maps(client, listener, address):
    send = client.post if address == "draw/" else client.get
    assert send(f"/laboratory/tastes/{address}")["Location"].startswith("/login/")
    client.force_login(listener.user)
    assert send(f"/laboratory/tastes/{address}").status_code == 404


def test_the_panel_shows_the_proof_over_people_and_over_synthetic_listeners(staff, listener):
    content = staff.get("/laboratory/tastes/").content.decode()
    assert content.count("Nothing to show yet") == 2


def test_staff_have_the_maps_drawn_by_a_conductor(staff, made, monkeypatch):
    asked = []
    monkeypatch.setattr(taste_pictures.current_app, "send_task", lambda *task, **how: asked.append((task, how)))
    answer = staff.post("/laboratory/tastes/draw/", {"experiment": made.name, "seed": "5"}, follow=True)
    assert asked == [
        (
            ("laboratory.tasks.draw_tastes",),
            {"kwargs": {"experiment": made.name, "seed": 5}, "queue": "rounds", "expires": taste_pictures.EXPIRY},
        )
    ]
    assert "no conductor is up" in answer.content.decode()
    wrong = staff.post("/laboratory/tastes/draw/", {"experiment": "", "seed": "minus one"}, follow=True)
    assert "expected a number from 0 to 999999999, got minus one" in wrong.content.decode()
    assert staff.post("/laboratory/tastes/draw/", {"experiment": "unknown"}).status_code == 404
    assert len(asked) == 1


def test_the_conductors_task_draws_for_the_panel_and_tells_what_goes_wrong(staff, checkpoint, monkeypatch):
    monkeypatch.setattr(shipped, "path_of", lambda _: checkpoint)
    monkeypatch.setattr("models_store.aligner.maps.METHODS", ("pca",))
    tasks.draw_tastes("", 5)
    assert taste_pictures.shown()["about"]["seed"] == 5
    tasks.draw_tastes("gone", 6)
    shown = taste_pictures.shown()
    assert shown["about"]["seed"] == 5
    assert "got 'gone'" in shown["about"]["failed"]
    assert [picture["method"] for picture in shown["pictures"]] == ["pca"]
    assert "expected the name of an experiment" in staff.get("/laboratory/tastes/").content.decode()
