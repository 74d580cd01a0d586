"""Fitness: likeness to a taste, less the faults of the sound."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from evolution.search.fitness import SongLikeness, TasteFitness
from models_store import artefacts
from models_store.aligner.model import AlignerConfig, AlignerV2
from models_store.evaluation import Evaluations

LAYERS, DIM = 2, 4


class Direction:
    """A taste for songs that point one way; what is not a number in one song makes all of its answers so."""

    def likeness(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        songs = torch.nn.functional.normalize(embeddings.mean(dim=1), dim=1)
        return songs[:, 0] + 0.0 * embeddings.sum(), torch.zeros(len(songs))


def heard(*songs: tuple[list[float], dict[str, float]]) -> Evaluations:
    embeddings = torch.tensor([song for song, _ in songs])[:, None, :].repeat(1, LAYERS, 1)
    measures = torch.tensor([[faults.get(name, 0.0) for name in artefacts.NAMES] for _, faults in songs])
    return Evaluations(embeddings=embeddings, artefacts=measures)


LIKED = [1.0, 0.0, 0.0, 0.0]
NEUTRAL = [0.0, 1.0, 0.0, 0.0]


def test_fitness_is_likeness_less_weighted_artefacts() -> None:
    evaluations = heard((LIKED, {}), (NEUTRAL, {}), (LIKED, {"clipping": 0.5}))
    scores = TasteFitness(Direction(), 0.4)(evaluations)
    faults = artefacts.total(evaluations.artefacts).numpy()
    assert scores.likeness.tolist() == [1.0, 0.0, 1.0]
    np.testing.assert_allclose(scores.artefacts, faults)
    np.testing.assert_allclose(scores.fitness, scores.likeness - 0.4 * faults, rtol=1e-6)
    assert scores.fitness[2] < scores.fitness[0]


def test_without_a_weight_only_likeness_counts() -> None:
    scores = TasteFitness(Direction(), 0.0)(heard((LIKED, {"harshness": 1.0}), (NEUTRAL, {})))
    assert scores.fitness.tolist() == [1.0, 0.0]


def test_silence_scores_the_worst() -> None:
    scores = TasteFitness(Direction(), 0.5)(heard((LIKED, {"silence": 1.0}), (LIKED, {"silence": 0.5})))
    assert scores.fitness[0] == -1.5
    assert scores.fitness[1] > 0.0


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_scores_the_worst_and_spoils_nobody_else(broken: float) -> None:
    evaluations = heard(([broken, 0.0, 0.0, 0.0], {}), (LIKED, {"clipping": broken}), (LIKED, {}))
    scores = TasteFitness(Direction(), 0.5)(evaluations)
    assert scores.fitness.tolist() == [-1.5, -1.5, 1.0]
    assert scores.likeness.tolist() == [-1.0, -1.0, 1.0]


def test_a_negative_or_endless_weight_is_refused() -> None:
    for weight in (-0.1, math.inf, math.nan):
        with pytest.raises(ValueError, match="noise_weight: expected a number >= 0"):
            TasteFitness(Direction(), weight)


def test_the_target_itself_is_the_likest_song() -> None:
    aligner = AlignerV2(AlignerConfig(users=2, layers=LAYERS, dim=DIM, emb_size=4, hidden=8, projection=4), seed=1)
    songs = torch.randn(20, LAYERS, DIM, generator=torch.Generator().manual_seed(2))
    cosine, deviation = SongLikeness(aligner, songs[7]).likeness(songs)
    assert int(cosine.argmax()) == 7
    assert float(cosine[7]) == pytest.approx(1.0)
    assert bool((cosine >= -1.0).all())
    assert not deviation.any()
