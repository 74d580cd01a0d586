"""Checkpoints of the prototype's aligner: they load, compute what the prototype computes, and can do no harm.

What the prototype computes is written out here once more, in float64, from its weights under its names. Nothing of it
is shared with the code that is tested.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models_store.aligner import shipped
from models_store.taste.base import mean_taste, reference_taste
from models_store.taste.infonce import InfoNCE
from models_store.taste.memory import Memory
from models_store.taste.synthetic import SyntheticListener
from tests.random_models import prototype_aligner
from tests.random_models.prototype_aligner import AGGREGATIONS, LAYERS, PROJECTIONS
from tests.unit.prototype_aligner import prototypes_cosines

WIDTH = 8
WIRINGS = [(how, "shared") for how in AGGREGATIONS] + [("gating", how) for how in PROJECTIONS if how != "shared"]
ASK_THE_LISTENER = ("cross-attention", "self-cross-attention")


def songs(count: int, *, width: int = WIDTH, seed: int = 1) -> Tensor:
    return 2 * torch.randn(count, LAYERS, width, generator=torch.Generator().manual_seed(seed))


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The same file, with something about it changed."""
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
    return path


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_a_reference_listeners_taste_is_what_the_prototype_says(tmp_path: Path, aggregation: str) -> None:
    path = prototype_aligner.write(tmp_path / "one.pt", aggregation=aggregation)
    likeness, _ = reference_taste(shipped.load(path), 3).likeness(songs(11))

    torch.testing.assert_close(likeness, prototypes_cosines(path, songs(11))[3], atol=2e-5, rtol=0)


@pytest.mark.parametrize(("aggregation", "projection"), WIRINGS)
def test_every_wiring_says_what_the_prototype_says(tmp_path: Path, aggregation: str, projection: str) -> None:
    path = prototype_aligner.write(tmp_path / "one.pt", aggregation=aggregation, projection=projection, hidden=WIDTH)
    heard = songs(11)

    aligner = shipped.load(path)
    cosines = aligner.cosines(aligner.reference_users(), heard)

    assert not aligner.training
    assert not any(parameter.requires_grad for parameter in aligner.parameters())
    assert float(cosines.std()) > 0.1  # not all the same
    torch.testing.assert_close(cosines, prototypes_cosines(path, heard), atol=2e-5, rtol=0)


@pytest.mark.parametrize("aggregation", ["self-cross-attention", "GRU", "learned_query"])
def test_a_width_in_between_of_its_own_is_read_from_the_weights(tmp_path: Path, aggregation: str) -> None:
    path = prototype_aligner.write(tmp_path / "one.pt", aggregation=aggregation, projection="shared+linear", hidden=10)

    aligner = shipped.load(path)

    assert aligner.config.hidden == 10
    cosines = aligner.cosines(aligner.reference_users(), songs(5))
    torch.testing.assert_close(cosines, prototypes_cosines(path, songs(5)), atol=2e-5, rtol=0)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_users_and_songs_have_places_of_unit_norm_whose_cosine_is_the_prototypes(
    tmp_path: Path, aggregation: str
) -> None:
    path = prototype_aligner.write(tmp_path / "one.pt", aggregation=aggregation, hidden=WIDTH)
    aligner = shipped.load(path)
    listener = aligner.reference_users()[4]

    users, heard = (
        aligner.project_users(aligner.reference_users()),
        aligner.project_songs(songs(7), listener=listener),
    )

    torch.testing.assert_close(users.norm(dim=-1), torch.ones(9))
    torch.testing.assert_close(heard.norm(dim=-1), torch.ones(7))
    torch.testing.assert_close(heard @ users[4], prototypes_cosines(path, songs(7))[4], atol=2e-5, rtol=0)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_a_song_sounds_different_to_each_listener_where_the_listener_is_asked(tmp_path: Path, aggregation: str) -> None:
    aligner = shipped.load(prototype_aligner.write(tmp_path / "one.pt", aggregation=aggregation, hidden=WIDTH))
    users = aligner.reference_users()

    mine, yours = (aligner.project_songs(songs(3), listener=users[index]) for index in (0, 1))
    mean = aligner.project_songs(songs(3))

    if aggregation in ASK_THE_LISTENER:
        assert not torch.allclose(mine, yours, atol=1e-3)
        torch.testing.assert_close(mean, aligner.project_songs(songs(3), listener=users.mean(dim=0)))
    else:
        assert torch.equal(mine, yours)
        assert torch.equal(mine, mean)


def test_the_sizes_of_the_report_load(tmp_path: Path) -> None:
    path = prototype_aligner.write(
        tmp_path / "one.pt", aggregation="cross-attention", projection="linear", size="report"
    )

    aligner = shipped.load(path)
    config = aligner.config

    assert (config.users, config.layers, config.emb_size) == (967, 13, 256)
    assert (config.dim, config.projection, config.hidden) == (768, 768, 2048)
    heard = songs(2, width=768)
    cosines = aligner.cosines(aligner.reference_users()[:5], heard)
    expected = prototypes_cosines(changed(path, lambda file: file["model"].update(_first_users(file))), heard)
    torch.testing.assert_close(cosines, expected, atol=2e-5, rtol=0)


def _first_users(file: dict[str, Any]) -> dict[str, Tensor]:
    return {"users.weight": file["model"]["users.weight"][:5].clone()}


def test_the_temperature_is_the_one_that_was_learned_or_the_one_that_was_given(tmp_path: Path) -> None:
    learned = shipped.load(prototype_aligner.write(tmp_path / "learned.pt"))
    given = shipped.load(prototype_aligner.write(tmp_path / "given.pt", learned_temperature=False))

    assert float(learned.temperature) == pytest.approx(math.exp(-1.9))
    assert float(given.temperature) == pytest.approx(0.2)


def test_names_as_data_parallel_writes_them_are_read(tmp_path: Path) -> None:
    path = prototype_aligner.write(tmp_path / "one.pt")
    plain = shipped.load(path).project_songs(songs(3))

    changed(path, lambda file: file.update(model={f"module.{name}": value for name, value in file["model"].items()}))

    assert torch.equal(shipped.load(path).project_songs(songs(3)), plain)


@pytest.mark.parametrize(("aggregation", "dead"), [("GRU", "linear"), ("learned_query", "ln_att")])
def test_what_the_prototype_never_uses_is_ignored(tmp_path: Path, aggregation: str, dead: str) -> None:
    path = prototype_aligner.write(tmp_path / "one.pt", aggregation=aggregation, hidden=WIDTH)
    before = shipped.load(path).project_songs(songs(3))

    def spoil(file: dict[str, Any]) -> None:
        file["model"][f"{dead}.weight"] = torch.full((3,), float("nan"))
        del file["model"][f"{dead}.bias"]

    changed(path, spoil)

    assert torch.equal(shipped.load(path).project_songs(songs(3)), before)


def test_what_is_dead_in_one_wiring_is_unexpected_in_another(tmp_path: Path) -> None:
    path = prototype_aligner.write(tmp_path / "one.pt", aggregation="mean")

    changed(path, lambda file: file["model"].update({"ln_att.weight": torch.ones(WIDTH)}))

    with pytest.raises(ValueError, match=r"one\.pt: .*unexpected: ln_att\.weight"):
        shipped.load(path)


def test_every_name_that_is_missing_left_over_or_of_another_shape_is_listed(tmp_path: Path) -> None:
    path = prototype_aligner.write(tmp_path / "one.pt")

    def spoil(file: dict[str, Any]) -> None:
        del file["model"]["f5.bias"], file["model"]["gate_norm.weight"]
        file["model"]["fc5.weight"] = torch.ones(2)
        file["model"]["linear3.weight"] = torch.ones(8, 5)
        file["model"]["linear2.bias"][3] = float("inf")
        file["model"]["fc1.bias"] = torch.ones(10, dtype=torch.int64)

    changed(path, spoil)

    with pytest.raises(ValueError, match=r"missing: f5\.bias, gate_norm\.weight; unexpected: fc5\.weight") as refused:
        shipped.load(path)
    assert "linear3.weight: expected shape [8, 6], got [8, 5]" in str(refused.value)
    assert "linear2.bias: expected finite numbers, got 1 others" in str(refused.value)
    assert "fc1.bias: expected numbers like torch.float32, got torch.int64" in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("aggr", "max", "config.aggr: expected one of mean, weighted"),
        ("aggr", ["mean"], "config.aggr: expected one of mean, weighted"),
        ("aggr", "weighted", r"missing: weights; unexpected: gate.bias"),
        ("prj", "mlp", "config.prj: expected one of linear, shared"),
        ("prj", "linear", r"missing: fc3.bias, fc3.weight"),
        ("model", "Aligner", "config.model: expected AlignerV2, got 'Aligner'"),
        ("encoder", "OpenL3", "config.encoder: expected MERT, got 'OpenL3'"),
        ("nusers", 967, "config.nusers: expected 9, as the weights have it, got 967"),
        ("prj_size", 768, "config.prj_size: expected 8, as the weights have it, got 768"),
        ("temp", "warm", "config.temp: expected a number"),
        ("learnable_temp", False, "unexpected: temp"),
    ],
)
def test_a_config_that_is_not_the_prototypes_or_not_of_these_weights_is_refused(
    tmp_path: Path, key: str, value: Any, said: str
) -> None:
    path = changed(prototype_aligner.write(tmp_path / "one.pt"), lambda file: file["config"].update({key: value}))

    with pytest.raises(ValueError, match=rf"one\.pt: expected a checkpoint of the prototype's aligner: .*{said}"):
        shipped.load(path)


def test_a_name_that_is_none_is_unexpected(tmp_path: Path) -> None:
    path = changed(prototype_aligner.write(tmp_path / "one.pt"), lambda file: file["model"].update({7: torch.ones(2)}))

    with pytest.raises(ValueError, match=r"one\.pt: .*unexpected: 7"):
        shipped.load(path)


def test_without_the_matrices_that_say_the_sizes_a_file_is_refused(tmp_path: Path) -> None:
    path = changed(prototype_aligner.write(tmp_path / "one.pt"), lambda file: file["model"].pop("fc2.weight"))

    with pytest.raises(ValueError, match=r"expected the matrices users\.weight, fc1\.weight, fc2\.weight"):
        shipped.load(path)


def test_a_file_that_claims_to_be_huge_is_refused_before_room_is_made_for_it(tmp_path: Path) -> None:
    path = prototype_aligner.write(tmp_path / "one.pt")
    one = torch.zeros(1, 1)

    def inflate(file: dict[str, Any]) -> None:
        file["config"].update(nusers=10**9, emb_size=6)
        file["model"]["users.weight"] = one.expand(10**9, 6)  # 24 GB, of which the file holds one number

    changed(path, inflate)

    with pytest.raises(ValueError, match=r"users\.weight: expected 6000000000 numbers, the file holds fewer"):
        shipped.load(path)


def test_the_embeddings_of_another_encoder_are_refused(tmp_path: Path) -> None:
    aligner = shipped.load(prototype_aligner.write(tmp_path / "one.pt"))

    with pytest.raises(ValueError, match=r"expected \[N, 13, 8\], got shape \(2, 8, 64\)"):
        aligner.project_songs(torch.zeros(2, 8, 64))


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, kept: float) -> None:
    path = prototype_aligner.write(tmp_path / "one.pt")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])

    with pytest.raises(ValueError, match=r"one\.pt: "):
        shipped.load(path)


class Trap:
    """Unpickles by making a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("place", ["model", "config", "optimizer"])
@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_does_not_run(tmp_path: Path, place: str, zipped: bool) -> None:
    content = torch.load(prototype_aligner.write(tmp_path / "one.pt"), weights_only=True)
    content[place]["trap"] = Trap(tmp_path / "sprung")
    torch.save(content, tmp_path / "one.pt", _use_new_zipfile_serialization=zipped)

    with pytest.raises(
        ValueError, match=r"one\.pt: expected a checkpoint of plain values only, but it asks for io.open"
    ):
        shipped.load(tmp_path / "one.pt")
    assert not (tmp_path / "sprung").exists()

    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))  # noqa: S301 - the trap is a real one
    assert (tmp_path / "sprung").exists()


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"model": {"conv.weight": torch.ones(3)}, "config": {"channels": 3}}, tmp_path / "one.pt")

    with pytest.raises(ValueError, match=r"one\.pt: expected an aligner's checkpoint: .*channels"):
        shipped.load(tmp_path / "one.pt")


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_it_can_be_kept_in_our_format(tmp_path: Path, aggregation: str) -> None:
    aligner = shipped.load(prototype_aligner.write(tmp_path / "one.pt", aggregation=aggregation, projection="bn"))

    shipped.save(aligner, tmp_path / "ours.pt", notes={})
    again = shipped.load(tmp_path / "ours.pt")

    assert again.config == aligner.config
    users = aligner.reference_users()
    assert torch.equal(again.cosines(users, songs(4)), aligner.cosines(users, songs(4)))
    assert torch.equal(again.temperature, aligner.temperature)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_a_few_ratings_teach_what_a_reference_listener_likes(tmp_path: Path, aggregation: str) -> None:
    aligner = shipped.load(prototype_aligner.write(tmp_path / "one.pt", aggregation=aggregation, projection="linear"))
    rated, unheard = songs(24, seed=5), songs(200, seed=6)
    agreement = []
    for user in range(aligner.config.users):
        truth = reference_taste(aligner, user)
        middle = float(truth.likeness(unheard)[0].median())
        ratings = SyntheticListener(truth, threshold=middle).rate(rated, seed=user)
        learned = InfoNCE(aligner).learn(Memory.of(rated, ratings.tolist(), [1] * len(rated)), seed=user)
        wanted = truth.likeness(unheard)[0]
        agreement.append(
            [
                float(torch.corrcoef(torch.stack([wanted, taste.likeness(unheard)[0]]))[0, 1])
                for taste in (learned, mean_taste(aligner))
            ]
        )

    with_ratings, without = torch.tensor(agreement).mean(dim=0).tolist()
    assert with_ratings > 0.6
    assert 1 - with_ratings < 0.7 * (1 - without)
