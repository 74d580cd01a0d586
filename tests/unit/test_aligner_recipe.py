"""The recipe: songs, listeners, training, a checkpoint; and the same again to check it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models_store import checkpoints
from models_store.aligner import recipe, shipped, training
from models_store.aligner.concepts import Concepts
from models_store.aligner.listeners import KINDS, SCENES
from models_store.aligner.model import AlignerConfig, AlignerV2
from tests.random_models import mert, musicgen

SHORT = training.TrainingConfig(batch=16, steps=2, epochs=2)
SMALL = recipe.Recipe(songs=40, listeners=10, seconds=(0.3, 0.5), seed=6)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("aligner")
    recipe.make(SMALL, recipe.studio(), out=folder / "one.pt", songs_file=folder / "songs.pt", how=SHORT)
    return folder


def test_what_is_made_is_an_aligner_of_the_embedded_encoder(made: Path) -> None:
    config = shipped.load(made / "one.pt").config

    assert (config.users, config.layers, config.dim) == (10, 8, 64)


def test_the_checkpoint_says_of_what_kind_each_reference_listener_is(made: Path) -> None:
    notes = checkpoints.load(made / "one.pt").notes

    assert len(notes["kinds"]) == len(notes["scenes"]) == 10
    assert set(notes["kinds"]) <= set(KINDS)
    assert set(notes["scenes"]) <= {-1, *range(SCENES)}
    assert 0.0 <= notes["figures"]["mean_auc"] <= 1.0


def test_concepts_are_made_beside_the_aligner_and_of_its_songs(made: Path) -> None:
    concepts = Concepts.load(made / "one.concepts.pt")

    assert {"bright", "dark"} & set(concepts.names)
    assert tuple(concepts.embeddings.shape) == (40, 8, 64)


def test_concepts_of_a_former_aligner_do_not_stay_beside_one_that_has_none(made: Path, tmp_path: Path) -> None:
    (tmp_path / "few.concepts.pt").write_bytes((made / "one.concepts.pt").read_bytes())

    recipe.make(replace(SMALL, songs=20, seconds=(0.3,)), recipe.studio(), out=tmp_path / "few.pt", how=SHORT)

    assert not (tmp_path / "few.concepts.pt").exists()


def test_a_check_plays_the_songs_again_and_finds_the_figures_of_the_making(made: Path) -> None:
    played_again = recipe.check(made / "one.pt", recipe.studio())
    kept = recipe.check(made / "one.pt", recipe.studio(), songs_file=made / "songs.pt")

    assert played_again == kept
    assert played_again.songs == 8
    assert played_again.listeners == 10


def test_songs_of_another_recipe_are_refused(made: Path) -> None:
    with pytest.raises(ValueError, match="expected 41 songs, got 40"):
        recipe.make(replace(SMALL, songs=41), recipe.studio(), out=made / "two.pt", songs_file=made / "songs.pt")


def test_a_checkpoint_without_a_recipe_cannot_be_checked(tmp_path: Path) -> None:
    shipped.save(AlignerV2(AlignerConfig(users=2, layers=1, dim=2)), tmp_path / "other.pt", notes={})

    with pytest.raises(ValueError, match="its recipe is not in it"):
        recipe.check(tmp_path / "other.pt", recipe.studio())


def test_an_aligner_is_made_for_a_neural_generator_and_a_neural_ear(tmp_path: Path) -> None:
    models = {
        "generator_model": str(musicgen.write(tmp_path / "player")),
        "encoder_model": str(mert.write(tmp_path / "ear")),
    }
    studio = recipe.studio(generator="musicgen", encoder="mert", **models)
    recipe.make(replace(SMALL, songs=20), studio, out=tmp_path / "mert.pt", how=SHORT)

    config = shipped.load(tmp_path / "mert.pt").config
    assert (config.users, config.layers, config.dim) == (10, 3, 32)
    with pytest.raises(ValueError, match="was trained with the generator 'musicgen', not 'soundfont'"):
        recipe.check(tmp_path / "mert.pt", recipe.studio())


def test_songs_that_another_ear_heard_are_refused(made: Path, tmp_path: Path) -> None:
    studio = recipe.studio(encoder="mert", encoder_model=str(mert.write(tmp_path / "ear")))
    with pytest.raises(ValueError, match=r"expected songs that mert heard, 3 x 32, got 8 x 64; made with another ear"):
        recipe.make(SMALL, studio, out=tmp_path / "two.pt", songs_file=made / "songs.pt")


def test_a_studio_of_nobody_known_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown encoder 'mart': expected one of"):
        recipe.studio(encoder="mart")
    with pytest.raises(ValueError, match=r"spectral: .*'model'"):
        recipe.studio(encoder_model="a/b")
