"""AlignerV2: listeners and songs in one space."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from models_store import checkpoints
from models_store.aligner import model as model_module
from models_store.aligner import recipe, shipped, training, world
from models_store.aligner.config import Aggregation, Projection
from models_store.aligner.model import AlignerConfig, AlignerV2
from tests.unit import small_world

CONFIG = AlignerConfig(users=7, layers=3, dim=5, emb_size=4, hidden=8, projection=6)
WIRINGS: list[dict[str, Any]] = [
    *({"aggregation": how} for how in get_args(Aggregation)),
    *({"projection_type": how} for how in get_args(Projection)),
    {"tower": "three-skips"},
    {"standardised": False},
    {"aggregation": "cross-attention", "projection_type": "bn"},
    {"aggregation": "self-cross-attention", "projection_type": "shared+linear", "projection": 5},
    {"aggregation": "GRU", "projection_type": "ln", "hidden": 5, "projection": 5},
]
"""Every choice at least once; in the last ones a song is as wide as the common space, or nearly."""


def named(wiring: dict[str, Any]) -> str:
    return " ".join(str(value) for value in wiring.values())


every_wiring = pytest.mark.parametrize("wiring", WIRINGS, ids=named)


def songs(count: int) -> torch.Tensor:
    return 4 + 3 * torch.randn(count, CONFIG.layers, CONFIG.dim, generator=torch.Generator().manual_seed(1))


@every_wiring
def test_listeners_and_songs_are_unit_vectors_of_one_space(wiring: dict[str, Any]) -> None:
    aligner = AlignerV2(replace(CONFIG, **wiring), seed=3).eval()

    users = aligner.project_users(aligner.reference_users())
    heard = aligner.project_songs(songs(11))

    assert users.shape == (7, aligner.config.projection)
    assert heard.shape == (11, aligner.config.projection)
    torch.testing.assert_close(users.norm(dim=-1), torch.ones(7))
    torch.testing.assert_close(heard.norm(dim=-1), torch.ones(11))


@every_wiring
def test_cosines_are_those_of_the_places_that_a_listener_gives_to_songs(wiring: dict[str, Any]) -> None:
    aligner = AlignerV2(replace(CONFIG, **wiring), seed=3).eval()
    table = aligner.reference_users()

    one_by_one = [aligner.project_songs(songs(11), listener=user) @ aligner.project_users(user) for user in table]

    cosines = aligner.cosines(table, songs(11))
    assert cosines.shape == (7, 11)
    torch.testing.assert_close(cosines, torch.stack(one_by_one))


@pytest.mark.parametrize("at_once", [1, 25, 1000])
def test_cosines_do_not_depend_on_how_many_are_computed_at_once(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    aligner = AlignerV2(replace(CONFIG, aggregation="cross-attention"), seed=3)
    expected = aligner.cosines(aligner.reference_users(), songs(11))

    monkeypatch.setattr(model_module, "PAIRS_AT_ONCE", at_once)

    torch.testing.assert_close(aligner.cosines(aligner.reference_users(), songs(11)), expected)


@pytest.mark.parametrize("aggregation", ["gating", "cross-attention"])
def test_some_of_the_songs_that_were_heard_can_be_chosen(aggregation: Aggregation) -> None:
    aligner = AlignerV2(replace(CONFIG, aggregation=aggregation), seed=3)
    table, heard = aligner.reference_users(), aligner.hear(songs(11))
    chosen = torch.tensor([7, 0, 7])

    assert len(heard) == 11
    assert len(heard[chosen]) == 3
    torch.testing.assert_close(heard[chosen].cosines(table), heard.cosines(table)[:, chosen])
    torch.testing.assert_close(heard[torch.arange(11) > 8].cosines(table), heard.cosines(table)[:, 9:])


@pytest.mark.parametrize("aggregation", get_args(Aggregation))
def test_no_users_and_no_songs_have_no_cosines(aggregation: Aggregation) -> None:
    aligner = AlignerV2(replace(CONFIG, aggregation=aggregation)).eval()

    assert aligner.cosines(aligner.reference_users(), songs(0)).shape == (7, 0)
    assert aligner.cosines(aligner.reference_users()[:0], songs(3)).shape == (0, 3)
    assert aligner.project_songs(songs(0)).shape == (0, 6)


@every_wiring
def test_every_parameter_learns(wiring: dict[str, Any]) -> None:
    aligner = AlignerV2(replace(CONFIG, **wiring), seed=3)
    wanted = torch.randn(7, 11, generator=torch.Generator().manual_seed(2))

    loss = (aligner.cosines(aligner.user_table, songs(11)) / aligner.temperature * wanted).sum()
    loss.backward()

    unmoved = [
        name
        for name, parameter in aligner.named_parameters()
        if parameter.grad is None or float(parameter.grad.abs().max()) < 1e-7
    ]
    assert unmoved == []


@every_wiring
def test_every_wiring_can_be_trained(wiring: dict[str, Any]) -> None:
    heard, listeners = small_world.songs(), small_world.listeners()
    sizes = {"users": 30, "layers": small_world.LAYERS, "dim": small_world.DIM, "emb_size": 12, "hidden": 24}
    # As wide as a song where the wiring is, else of another size.
    width = small_world.DIM if "projection" in wiring else 10
    config = AlignerConfig(**{**wiring, **sizes, "projection": width})
    how = training.TrainingConfig(batch=64, steps=30, epochs=8, lr=5e-3, noise=0.5)

    trained = training.train(heard.embeddings, listeners, config, how, seed=2)

    assert trained.figures.auc > 0.7


def test_users_of_any_leading_shape_are_projected_alike() -> None:
    aligner = AlignerV2(CONFIG, seed=0)
    users = aligner.reference_users()

    torch.testing.assert_close(aligner.project_users(users[2]), aligner.project_users(users)[2])
    assert aligner.project_users(users.reshape(1, 7, 4)).shape == (1, 7, 6)


def test_a_recipe_says_the_wiring_of_what_it_makes(tmp_path: Path) -> None:
    songs = small_world.songs()
    wide = torch.cat([songs.embeddings.flatten(1)] * 22, dim=1)[:, : 8 * 64].reshape(-1, 8, 64)  # as spectral hears
    world.save(tmp_path / "songs.pt", replace(songs, embeddings=wide))
    wired = recipe.Recipe(songs=400, listeners=10, seed=1, aggregation="learned-query", projection_type="shared")
    how = training.TrainingConfig(batch=16, steps=2, epochs=2)

    recipe.make(wired, recipe.studio(), out=tmp_path / "one.pt", songs_file=tmp_path / "songs.pt", how=how)
    made = shipped.load(tmp_path / "one.pt")
    figures = recipe.check(tmp_path / "one.pt", recipe.studio(), songs_file=tmp_path / "songs.pt")

    assert (made.config.aggregation, made.config.projection_type) == ("learned-query", "shared")
    assert figures.listeners == 10


@every_wiring
def test_the_projection_of_a_song_does_not_depend_on_its_batch(wiring: dict[str, Any]) -> None:
    aligner = AlignerV2(replace(CONFIG, **wiring), seed=0).eval()

    torch.testing.assert_close(aligner.project_songs(songs(9))[4:5], aligner.project_songs(songs(9)[4:5]))


def test_a_batch_norm_learns_from_training_songs_and_from_no_others() -> None:
    aligner = AlignerV2(replace(CONFIG, projection_type="bn"), seed=0)

    def learned() -> torch.Tensor:
        return aligner.state_dict()["projection.norm.running_mean"].clone()

    before = learned()
    aligner.train().project_songs(songs(9))
    after = learned()
    aligner.eval().project_songs(songs(5))

    assert not torch.equal(before, after)
    assert torch.equal(after, learned())


def test_gating_lets_layers_be_told_apart_and_the_mean_does_not() -> None:
    song, swapped = songs(1), songs(1)[:, [1, 0, 2]]

    gating, mean = (AlignerV2(replace(CONFIG, aggregation=how), seed=0) for how in ("gating", "mean"))

    assert not torch.allclose(gating.project_songs(song), gating.project_songs(swapped), atol=1e-3)
    torch.testing.assert_close(mean.project_songs(song), mean.project_songs(swapped))


def test_where_features_are_not_standardised_they_are_taken_as_they_come() -> None:
    aligner = AlignerV2(replace(CONFIG, standardised=False), seed=0)
    heard = songs(20)

    aligner.fit_features(heard)

    assert torch.equal(aligner.standardise(100 * heard), 100 * heard)


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


@every_wiring
def test_the_same_seed_builds_the_same_aligner_and_leaves_the_global_generator_alone(wiring: dict[str, Any]) -> None:
    before = torch.get_rng_state()

    first, second, other = (AlignerV2(replace(CONFIG, **wiring), seed=seed).eval() for seed in (5, 5, 6))

    assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(first.project_songs(songs(2)), second.project_songs(songs(2)))
    assert not torch.allclose(first.reference_users(), other.reference_users())


def test_the_temperature_stays_within_its_bounds() -> None:
    aligner = AlignerV2(replace(CONFIG, temperature_bounds=(0.05, 0.5)))

    for learned, kept in ((-9.0, 0.05), (-1.0, 0.3679), (9.0, 0.5)):
        aligner.log_temperature.data.fill_(learned)
        assert float(aligner.temperature.detach()) == pytest.approx(kept, abs=1e-4)


@every_wiring
def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path, wiring: dict[str, Any]) -> None:
    aligner = AlignerV2(replace(CONFIG, **wiring), seed=2).eval().requires_grad_(False)
    aligner.fit_features(songs(50))

    shipped.save(aligner, tmp_path / "one.pt", notes={"seed": 2})
    again = shipped.load(tmp_path / "one.pt")

    assert again.config == aligner.config
    assert not any(parameter.requires_grad for parameter in again.parameters())
    assert torch.equal(again.project_songs(songs(3)), aligner.project_songs(songs(3)))


def test_a_file_that_is_no_aligner_is_refused(tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "other.pt", weights={"mean": torch.zeros(3)}, config={"layers": 1})

    with pytest.raises(ValueError, match=r"other\.pt: expected an aligner's checkpoint"):
        shipped.load(tmp_path / "other.pt")


def test_weights_that_are_not_those_of_the_config_are_listed(tmp_path: Path) -> None:
    weights = AlignerV2(CONFIG).state_dict()
    del weights["tower.first.bias"]
    weights |= {"tower.third.bias": torch.ones(2), "openness": torch.ones(3), "user_table": torch.zeros(8, 4)}
    weights["aggregation.gate"] = torch.full((3, 5, 5), float("nan"))
    checkpoints.save(tmp_path / "one.pt", weights=weights, config=asdict(CONFIG))

    with pytest.raises(ValueError, match=r"one\.pt: expected an aligner's checkpoint: missing: tower") as refused:
        shipped.load(tmp_path / "one.pt")
    assert "missing: tower.first.bias; unexpected: openness, tower.third.bias; " in str(refused.value)
    assert "aggregation.gate: expected finite numbers, got 75 others" in str(refused.value)
    assert "user_table: expected shape [7, 4], got [8, 4]" in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value"), [("users", 10**12), ("users", 10**40), ("users", "7"), ("hidden", None), ("dim", 2**40)]
)
def test_a_size_that_cannot_be_is_refused_without_making_room_for_it(tmp_path: Path, key: str, value: Any) -> None:
    checkpoints.save(tmp_path / "one.pt", weights=AlignerV2(CONFIG).state_dict(), config={**asdict(CONFIG), key: value})

    with pytest.raises(ValueError, match=r"one\.pt: expected an aligner's checkpoint"):
        shipped.load(tmp_path / "one.pt")


def test_an_encoder_without_a_shipped_aligner_is_named() -> None:
    with pytest.raises(ValueError, match="no checkpoint is shipped for the encoder 'cochlea'"):
        shipped.path_of("cochlea")


def test_the_embeddings_of_another_encoder_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \[N, 3, 5\], got shape \(2, 13, 768\)"):
        AlignerV2(CONFIG).project_songs(torch.zeros(2, 13, 768))


def test_a_size_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"AlignerConfig\.projection: expected at least 1, got 0"):
        replace(CONFIG, projection=0)


@pytest.mark.parametrize(
    ("field", "value"), [("aggregation", "max"), ("projection_type", "mlp"), ("tower", "none"), ("aggregation", None)]
)
def test_a_choice_that_does_not_exist_is_refused_and_the_known_ones_are_named(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"AlignerConfig\.{field}: expected one of .*, .*; got {value!r}"):
        replace(CONFIG, **{field: value})


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (1.0, 0.5), (0.1, float("inf")), (float("nan"), 1.0)])
def test_bounds_of_no_temperature_are_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"AlignerConfig\.temperature_bounds: expected two positive numbers"):
        replace(CONFIG, temperature_bounds=bounds)


def test_a_listener_of_another_size_is_refused() -> None:
    aligner = AlignerV2(replace(CONFIG, aggregation="cross-attention"))

    with pytest.raises(ValueError, match=r"project_songs: listener: expected \[\.\.\., 4\], got shape \(3,\)"):
        aligner.project_songs(songs(2), listener=torch.zeros(3))
