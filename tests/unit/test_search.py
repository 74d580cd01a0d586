"""The values that a search deals in, and what every searcher promises."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolution.search.candidates import Candidate, Generation, Scores, genome_bytes
from evolution.search.searcher import MOST_SEED, count_of, derived_seed


def scores(*fitness: float) -> Scores:
    return Scores(np.array(fitness), np.array(fitness), np.zeros(len(fitness)))


def test_a_vector_genome_is_a_copy_that_nobody_can_change() -> None:
    values = np.ones((2, 3), dtype=np.float32)
    candidate = Candidate(values, 1, "")
    values[:] = 5.0
    assert isinstance(candidate.genome, np.ndarray)
    assert candidate.genome.max() == 1.0
    with pytest.raises(ValueError, match="read-only"):
        candidate.genome[0, 0] = 2.0


def test_equal_genomes_have_equal_bytes_and_different_ones_do_not() -> None:
    zeros = np.zeros((2, 3), dtype=np.float32)
    assert genome_bytes(Candidate(zeros, 1, "")) == genome_bytes(Candidate(-zeros, 2, "x"))
    assert genome_bytes(Candidate(zeros, 1, "")) != genome_bytes(Candidate(zeros.reshape(3, 2), 1, ""))
    assert genome_bytes(Candidate("jazz", 1, "jazz")) != genome_bytes(Candidate("jazz ", 1, "jazz"))
    assert genome_bytes(Candidate("jazz", 1, "jazz")) == b"text:jazz"


def test_candidates_are_equal_when_everything_about_them_is() -> None:
    genome = np.ones((1, 2), dtype=np.float32)
    assert Candidate(genome, 1, "") == Candidate(genome.copy(), 1, "")
    assert Candidate(genome, 1, "") != Candidate(genome, 2, "")
    assert Candidate("a", 1, "a") != Candidate("a", 1, "a", elite=True)
    assert len({Candidate("a", 1, "a"), Candidate("a", 1, "a")}) == 1


@pytest.mark.parametrize(
    ("genome", "seed", "message"),
    [
        ("a", -1, "seed: expected an integer >= 0, got -1"),
        (np.zeros(3), 1, "got shape"),
        (np.array([[np.nan]]), 1, "finite"),
    ],
)
def test_a_genome_that_cannot_be_played_is_refused(genome: str | np.ndarray, seed: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Candidate(genome, seed, "")


def test_scores_are_finite_numbers_of_one_length() -> None:
    assert scores(0.1, 0.2).fitness.dtype == np.float32
    with pytest.raises(ValueError, match=r"Scores.fitness: expected finite numbers"):
        scores(0.1, float("nan"))
    with pytest.raises(ValueError, match=r"Scores.likeness: expected the shape of fitness, \(2,\), got \(3,\)"):
        Scores(np.zeros(2), np.zeros(3), np.zeros(2))


def test_a_generation_tells_best_mean_median_worst_and_ranking() -> None:
    candidates = tuple(Candidate(name, 0, name) for name in "abcd")
    generation = Generation(0, candidates, scores(0.0, 0.75, -0.5, 0.75))
    told = (generation.best, generation.mean, generation.median, generation.worst)
    assert told == (0.75, 0.25, 0.375, -0.5)
    assert generation.ranking() == [1, 3, 0, 2]
    with pytest.raises(ValueError, match="got 4 candidates and 1 scores"):
        Generation(0, candidates, scores(0.0))


@given(st.floats(0.0, 1.0), st.integers(2, 500))
def test_a_fraction_is_rounded_but_never_silently_zero(fraction: float, size: int) -> None:
    count = count_of(fraction, size)
    assert (count == 0) == (fraction == 0.0)
    assert abs(count - fraction * size) <= 0.5 or count == 1


def test_derived_seeds_depend_on_every_part_and_on_no_process() -> None:
    assert len({derived_seed(1, 2), derived_seed(2, 1), derived_seed(12), derived_seed(1, "2"), derived_seed(1)}) == 5
    assert 0 <= derived_seed(3, b"x") < MOST_SEED
    code = "from evolution.search.searcher import derived_seed; print(derived_seed(7, 'a', b'b'))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(told) == derived_seed(7, "a", b"b")
