"""What every taste can do, on user embeddings; and the simple methods that a learner has to beat."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models_store.taste import baselines, evaluation
from models_store.taste.base import EmbeddingTaste, Taste, TasteLearner, mean_taste, reference_taste
from models_store.taste.comparison import compare
from models_store.taste.infonce import InfoNCE
from models_store.taste.memory import Edit, Memory
from tests.unit import small_world


def new_songs(count: int, *, seed: int = 60) -> Tensor:
    return small_world.songs(count, seed=seed).embeddings


def rated(count: int, *, user: int = 5) -> Memory:
    songs = new_songs(count)
    liked = reference_taste(small_world.trained().aligner, user).likeness(songs)[0] > 0
    return Memory(songs, torch.where(liked, 1, -1), torch.arange(count) // 8)


def learners() -> dict[str, TasteLearner]:
    aligner = small_world.trained().aligner
    everybody = evaluation.contestants(aligner)
    return {one.name: one.learner for one in everybody}


@pytest.mark.parametrize("name", learners())
def test_every_learner_learns_something_and_keeps_it(name: str) -> None:
    learner, songs = learners()[name], new_songs(100, seed=61)
    truth = reference_taste(small_world.trained().aligner, 5)

    taste = learner.learn(rated(60), seed=0)
    again = learner.restore(taste.state())

    if name not in baselines.PROTOTYPE:  # in its README's five epochs it hardly moves
        assert compare(taste, truth, songs)["spearman"] > 0.5
    assert torch.equal(taste.likeness(songs)[0], again.likeness(songs)[0])
    assert torch.equal(taste.probability(songs), again.probability(songs))
    assert torch.equal(taste.draws(songs, count=3, seed=0), again.draws(songs, count=3, seed=0))


@pytest.mark.parametrize("name", learners())
@pytest.mark.parametrize("opinions", [[], [1, 1, 1], [-1, -1], [0, 0]])
def test_no_learner_gives_what_is_not_a_number(name: str, opinions: list[int]) -> None:
    songs = new_songs(20, seed=61)
    known = Memory.of(new_songs(len(opinions)) if opinions else songs[:0], opinions, [0] * len(opinions))

    taste = learners()[name].learn(known, seed=0)

    mean, deviation = taste.likeness(songs)
    assert bool(((mean >= -1) & (mean <= 1) & (deviation >= 0)).all())
    assert bool(((taste.probability(songs) >= 0) & (taste.probability(songs) <= 1)).all())
    assert taste.draws(songs, count=4, seed=0).shape == (4, 20)
    assert float(taste.vector.norm()) == pytest.approx(1.0, abs=1e-5)


def test_a_reference_taste_is_certain_and_the_mean_taste_is_not() -> None:
    aligner, songs = small_world.trained().aligner, new_songs(30)

    known, anybody = reference_taste(aligner, 3), mean_taste(aligner)

    assert float(known.likeness(songs)[1].max()) == 0.0
    assert float(anybody.likeness(songs)[1].min()) > 0.05
    assert torch.equal(known.draws(songs, count=2, seed=0)[0], known.likeness(songs)[0])
    assert set(known.state()) == {"user"}


def test_a_draw_is_one_taste_for_all_songs() -> None:
    aligner, songs = small_world.trained().aligner, new_songs(30)
    drawn = mean_taste(aligner).draws(songs, count=5, seed=1)
    users = torch.cat([aligner.reference_users().mean(dim=0)[None], aligner.reference_users()])
    every = aligner.cosines(users, songs)

    for one in drawn:
        assert float((every - one).abs().max(dim=1).values.min()) < 1e-5


def test_the_probability_is_a_half_on_the_border_and_rises_with_likeness() -> None:
    taste, songs = reference_taste(small_world.trained().aligner, 3), new_songs(50)
    likeness, probability = taste.likeness(songs)[0], taste.probability(songs)

    assert torch.equal(likeness.argsort(), probability.argsort())
    assert bool(((probability > 0.5) == (likeness > 0)).all())


def test_alternatives_of_another_size_are_refused() -> None:
    aligner = small_world.trained().aligner
    with pytest.raises(ValueError, match=r"alternatives: expected shape \(K, 12\), got \(3, 5\)"):
        EmbeddingTaste(aligner, torch.zeros(12), alternatives=torch.zeros(3, 5))
    with pytest.raises(ValueError, match="expected a state with 'user'"):
        EmbeddingTaste.of_state(aligner, {"means": torch.zeros(1)})


def test_a_rating_that_weighs_more_pulls_infonce_further() -> None:
    songs = new_songs(6)
    learner = InfoNCE(small_world.trained().aligner)

    def last(weight: float) -> float:
        known = Memory.of(songs, [1, -1, 1, -1, 1, -1], [0] * 6, weights=[1.0] * 5 + [weight])
        return float(learner.learn(known, seed=0).likeness(songs[5:])[0])

    assert last(5.0) < last(1.0) < last(0.2)


def test_an_edit_moves_infonce_with_and_without_ratings() -> None:
    songs, others = small_world.songs(300, seed=62), small_world.songs(300, seed=63)
    has, others_have = (one.said["genre"][1][:, 1] for one in (songs, others))
    nothing = Memory.empty(layers=small_world.LAYERS, dim=small_world.DIM)

    def lead(known: Memory, wanted: float) -> float:
        edit = Edit("genre", songs.embeddings[has][:40], songs.embeddings[~has][:40], wanted, 4.0)
        asked = Memory(known.embeddings, known.ratings, known.rounds, known.weights, (edit,))
        mean = InfoNCE(small_world.trained().aligner).learn(asked, seed=0).likeness(others.embeddings)[0]
        return float(mean[others_have].mean() - mean[~others_have].mean())

    for known in (nothing, rated(16)):
        assert lead(known, 1.0) > lead(known, -1.0) + 0.1


def test_a_loss_is_the_surprise_at_the_answers() -> None:
    class Half(EmbeddingTaste):
        def probability(self, embeddings: Tensor) -> Tensor:
            return torch.full((len(embeddings),), 0.25)

    aligner = small_world.trained().aligner
    taste: Taste = Half(aligner, aligner.reference_users()[0])
    known = Memory.of(new_songs(3), [1, -1, 0], [0, 0, 0], weights=[3.0, 1.0, 9.0])
    expected = (3.0 * torch.tensor(4.0).log() + (4.0 / torch.tensor(3.0)).log()) / 4.0

    found = baselines.Ridge(aligner).loss(taste, known)

    assert found == pytest.approx(float(expected), abs=1e-5)
    assert baselines.Ridge(aligner).loss(taste, known.where(torch.tensor([2]))) == 0.0
