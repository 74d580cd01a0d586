"""AlignerV2: listeners and songs in one space."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models_store import checkpoints
from models_store.aligner import shipped
from models_store.aligner.model import Aggregation, AlignerConfig, AlignerV2

CONFIG = AlignerConfig(users=7, layers=3, dim=5, emb_size=4, hidden=8, projection=6)


def songs(count: int) -> torch.Tensor:
    return 4 + 3 * torch.randn(count, CONFIG.layers, CONFIG.dim, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("aggregation", ["gating", "mean"])
def test_listeners_and_songs_are_unit_vectors_of_one_space(aggregation: Aggregation) -> None:
    aligner = AlignerV2(replace(CONFIG, aggregation=aggregation), seed=3)

    users = aligner.project_users(aligner.reference_users())
    heard = aligner.project_songs(songs(11))

    assert users.shape == (7, 6)
    assert heard.shape == (11, 6)
    torch.testing.assert_close(users.norm(dim=-1), torch.ones(7))
    torch.testing.assert_close(heard.norm(dim=-1), torch.ones(11))


def test_users_of_any_leading_shape_are_projected_alike() -> None:
    aligner = AlignerV2(CONFIG, seed=0)
    users = aligner.reference_users()

    torch.testing.assert_close(aligner.project_users(users[2]), aligner.project_users(users)[2])
    assert aligner.project_users(users.reshape(1, 7, 4)).shape == (1, 7, 6)


def test_the_projection_of_a_song_does_not_depend_on_its_batch() -> None:
    aligner = AlignerV2(CONFIG, seed=0)

    torch.testing.assert_close(aligner.project_songs(songs(9))[4:5], aligner.project_songs(songs(9)[4:5]))


def test_gating_lets_layers_be_told_apart_and_the_mean_does_not() -> None:
    song, swapped = songs(1), songs(1)[:, [1, 0, 2]]

    gating, mean = (AlignerV2(replace(CONFIG, aggregation=how), seed=0) for how in ("gating", "mean"))

    assert not torch.allclose(gating.project_songs(song), gating.project_songs(swapped), atol=1e-3)
    torch.testing.assert_close(mean.project_songs(song), mean.project_songs(swapped))


def test_features_are_standardised_by_the_training_songs() -> None:
    aligner = AlignerV2(CONFIG, seed=0)
    heard = songs(200)
    heard[:, 0, 0] = 2.5

    aligner.fit_features(heard)
    standard = aligner.standardise(heard)

    torch.testing.assert_close(standard.mean(dim=0), torch.zeros(3, 5), atol=1e-3, rtol=0)
    assert float(standard[:, 0, 0].abs().max()) < 1e-3
    assert float(standard[:, 1:].std(dim=0).mean()) == pytest.approx(1.0, abs=0.02)


def test_a_freak_of_a_sound_stays_in_the_known_space() -> None:
    aligner = AlignerV2(CONFIG, seed=0)

    projected = aligner.project_songs(torch.full((1, 3, 5), 1e30))

    assert bool(projected.isfinite().all())


def test_the_same_seed_builds_the_same_aligner_and_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()

    first, second, other = (AlignerV2(CONFIG, seed=seed) for seed in (5, 5, 6))

    assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(first.project_songs(songs(2)), second.project_songs(songs(2)))
    assert not torch.allclose(first.reference_users(), other.reference_users())


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    aligner = AlignerV2(CONFIG, seed=2)
    aligner.fit_features(songs(50))

    shipped.save(aligner, tmp_path / "one.pt", notes={"seed": 2})
    again = shipped.load(tmp_path / "one.pt")

    assert again.config == CONFIG
    assert not any(parameter.requires_grad for parameter in again.parameters())
    torch.testing.assert_close(again.project_songs(songs(3)), aligner.project_songs(songs(3)))


def test_a_file_that_is_no_aligner_is_refused(tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "other.pt", weights={"mean": torch.zeros(3)}, config={"layers": 1})

    with pytest.raises(ValueError, match=r"other\.pt: expected an aligner's checkpoint"):
        shipped.load(tmp_path / "other.pt")


def test_an_encoder_without_a_shipped_aligner_is_named() -> None:
    with pytest.raises(ValueError, match="no checkpoint is shipped for the encoder 'cochlea'"):
        shipped.path_of("cochlea")


def test_the_embeddings_of_another_encoder_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \[N, 3, 5\], got shape \(2, 13, 768\)"):
        AlignerV2(CONFIG).project_songs(torch.zeros(2, 13, 768))


def test_a_size_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"AlignerConfig\.projection: expected at least 1, got 0"):
        replace(CONFIG, projection=0)
