"""Random search, the control."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from evolution.search.candidates import Generation
from evolution.search.random_search import RandomSearch
from models_store import prompts
from tests.unit.small_words import DIM, LENGTH, LEXICON, WORDS, Listener, texts


def text_search(seed: int = 1) -> RandomSearch:
    return RandomSearch(population_size=16, seed=seed, lexicon=LEXICON)


def vector_search(seed: int = 1, **settings: object) -> RandomSearch:
    return RandomSearch(population_size=16, seed=seed, space=WORDS, length=LENGTH, **settings)  # type: ignore[arg-type]


class Deaf:
    """Scores everybody by the length of the name: no sound is needed where nothing is learned."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, candidates: object) -> object:
        from evolution.search.candidates import Scores

        self.calls += 1
        numbers = np.array([float(len(each.prompt)) for each in candidates], dtype=np.float32)  # type: ignore[attr-defined]
        return Scores(numbers, numbers, np.zeros_like(numbers))


def steps(searcher: RandomSearch, count: int) -> list[Generation]:
    return [searcher.step(Deaf()) for _ in range(count)]  # type: ignore[arg-type]


def test_every_generation_is_drawn_anew_from_the_lexicon() -> None:
    drawn = [each for generation in steps(text_search(), 4) for each in generation.candidates]
    assert len({each.identity for each in drawn}) == 64
    assert len({each.prompt for each in drawn}) > 40
    for each in drawn:
        assert each.genome == each.prompt
        assert prompts.parse(each.prompt, LEXICON).rest == ()
        assert each.parents == ()
        assert not each.elite


def test_vector_genomes_are_embedded_draws() -> None:
    for each in steps(vector_search(lexicon=LEXICON), 2)[-1].candidates:
        genome = torch.tensor(np.asarray(each.genome))
        assert genome.shape == (LENGTH, DIM)
        assert torch.equal(WORDS.embeddings[WORDS.nearest_ids(genome[None])][0], genome)
        assert WORDS.nearest(genome[None]) == [each.prompt]


def test_from_a_pool_none_comes_twice_in_a_generation_before_all_have_come() -> None:
    pool = texts(12)
    for generation in steps(RandomSearch(population_size=16, seed=1, pool=pool), 3):
        drawn = [each.prompt for each in generation.candidates]
        assert set(drawn) == set(pool)
        assert max(map(drawn.count, drawn)) == 2
    large = texts(100)
    first, second = steps(RandomSearch(population_size=16, seed=1, pool=large), 2)
    assert len({each.prompt for each in first.candidates}) == 16
    assert {each.prompt for each in first.candidates} != {each.prompt for each in second.candidates}


def test_nothing_is_learned_so_nobody_is_scored_again() -> None:
    searcher, deaf = text_search(), Deaf()
    for _ in range(3):
        searcher.step(deaf)  # type: ignore[arg-type]
    assert deaf.calls == 3


def test_a_saved_search_draws_what_an_undisturbed_one_does() -> None:
    for build in (text_search, lambda seed: vector_search(seed, pool=texts(40))):
        expected = steps(build(3), 5)
        stopped = build(3)
        steps(stopped, 2)
        stored = io.BytesIO()
        torch.save(stopped.state(), stored)
        stored.seek(0)
        resumed = build(8)
        resumed.restore(torch.load(stored, weights_only=True))
        assert [each.candidates for each in steps(resumed, 3)] == [each.candidates for each in expected[2:]]


def test_it_does_not_improve() -> None:
    listener = Listener(1)
    searcher = RandomSearch(population_size=100, seed=1, space=WORDS, length=LENGTH, lexicon=LEXICON)
    means = [searcher.step(listener).mean for _ in range(6)]
    assert abs(np.mean(means[3:]) - np.mean(means[:3])) < 0.1


def test_neither_words_nor_pool_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a lexicon or a pool"):
        RandomSearch(population_size=8, seed=1)
