"""The GA on the numbers of tokens."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest
import torch

from evolution.search.candidates import Candidate, Generation
from evolution.search.token_ga import CROSSOVER, SWAP, TokenGA
from models_store import checkpoints
from tests.unit.small_words import LENGTH, WORDS, Listener, embedded, texts

SIZE = 24


def search(seed: int = 1, size: int = SIZE, **settings: Any) -> TokenGA:
    initial = settings.pop("initial_prompts", texts(size))
    return TokenGA(
        initial_prompts=initial, population_size=size, seed=seed, vocabulary=WORDS, length=LENGTH, **settings
    )


def steps(searcher: TokenGA, listener: Listener, count: int) -> list[Generation]:
    return [searcher.step(listener) for _ in range(count)]


def ids(candidate: Candidate) -> list[int]:
    return WORDS.nearest_ids(torch.tensor(np.asarray(candidate.genome))[None])[0].tolist()


def test_it_beats_random_prompts_of_the_same_number() -> None:
    for seed in range(3):
        listener = Listener(seed)
        last = steps(search(seed, pool=texts(300, seed=3)), listener, 15)[-1]
        drawn = embedded(len(listener.heard), seed=100 + seed)
        best = listener([Candidate(genome.numpy(), 0, "") for genome in drawn]).fitness.max()
        assert last.best > best
        assert last.mean > best - 0.1


def test_genomes_are_the_embeddings_of_their_tokens() -> None:
    for generation in steps(search(), Listener(2), 4):
        for each in generation.candidates:
            assert np.array_equal(np.asarray(each.genome), WORDS.embeddings[ids(each)].numpy())
            assert each.prompt == WORDS.nearest(torch.tensor(np.asarray(each.genome))[None])[0]


def test_without_swaps_a_child_is_the_beginning_of_one_parent_and_the_end_of_the_other() -> None:
    generations = steps(search(swap_rate=0.0), Listener(3), 4)
    crossed = 0
    for before, after in itertools.pairwise(generations):
        for child in after.candidates:
            if child.elite or CROSSOVER not in child.operators:
                continue
            first, second = (ids(before.candidates[parent]) for parent in child.parents)
            own = ids(child)
            assert any(own == first[:cut] + second[cut:] for cut in range(1, LENGTH))
            assert own not in (first, second)
            assert child.operators == (CROSSOVER,)
            crossed += 1
    assert crossed > 40


def test_swapped_tokens_come_from_the_same_place_of_the_population_or_the_pool() -> None:
    pool = texts(50, seed=9)
    before, after = steps(search(swap_rate=0.3, pool=pool), Listener(4), 2)
    known = torch.cat([WORDS.ids(pool, length=LENGTH), torch.tensor([ids(each) for each in before.candidates])])
    swapped = [each for each in after.candidates if SWAP in each.operators]
    assert swapped
    for child in swapped:
        assert all(token in known[:, place] for place, token in enumerate(ids(child)))
    tokens_before = {token for each in before.candidates for token in ids(each)}
    assert {token for each in swapped for token in ids(each)} - tokens_before


def test_the_share_of_swapped_tokens_is_the_swap_rate() -> None:
    searcher = search(swap_rate=0.2, pool=texts(200, seed=9))
    rng, row = random.Random(1), (-1,) * LENGTH
    swapped = [token != -1 for _ in range(2000) for token in searcher._swapped(row, rng)]
    assert abs(np.mean(swapped) - 0.2) < 0.015


def test_no_two_children_are_the_same_while_others_can_be_made() -> None:
    for generation in steps(search(size=40), Listener(5), 6)[1:]:
        assert len({each.identity for each in generation.candidates}) == 40


def test_a_population_of_one_prompt_can_still_go_on() -> None:
    same = search(initial_prompts=["genre1"] * SIZE, swap_rate=0.0)
    last = steps(same, Listener(1), 3)[-1]
    assert {each.prompt for each in last.candidates} == {"genre1"}


def test_elites_are_the_best_of_before_and_keep_their_evaluation() -> None:
    listener = Listener(6)
    before, after = steps(search(elites=0.25), listener, 2)
    elites = [each for each in after.candidates if each.elite]
    assert [each.parents[0] for each in elites] == before.ranking()[:6]
    assert all(each.identity == before.candidates[each.parents[0]].identity for each in elites)
    assert not any(each.elite for each in steps(search(elites=0.0), listener, 2)[1].candidates)


def test_the_previous_population_is_scored_again_first() -> None:
    searcher, listener = search(), Listener(6)
    first = searcher.step(listener)
    listener.taste = -listener.taste
    listener.calls.clear()
    second = searcher.step(listener)
    assert listener.calls == [first.candidates, second.candidates]
    assert (first.ranking()[-1],) in [each.parents for each in second.candidates if each.elite]


def test_a_saved_search_goes_on_bit_for_bit_and_an_interrupted_step_can_be_repeated() -> None:
    expected = steps(search(9), Listener(9), 4)
    stopped = search(9)
    steps(stopped, Listener(9), 2)
    resumed = search(77)
    resumed.restore(checkpoints.from_bytes(checkpoints.to_bytes(stopped.state())))

    calls = iter([Listener(9)])
    with pytest.raises(StopIteration):
        resumed.step(lambda candidates: next(calls)(candidates))
    assert [each.candidates for each in steps(resumed, Listener(9), 2)] == [each.candidates for each in expected[2:]]


def test_a_state_of_other_prompts_is_refused() -> None:
    state = search().state()
    other = TokenGA(initial_prompts=texts(SIZE), population_size=SIZE, seed=1, vocabulary=WORDS, length=4)
    with pytest.raises(ValueError, match=r"expected tokens \[24, 4\], got \(24, 6\)"):
        other.restore(state)
    with pytest.raises(ValueError, match="expected tokens"):
        search().restore({**state, "tokens": None})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"initial_prompts": ["genre1"]}, "initial_prompts: expected 24, got 1"),
        ({"elites": 1.0}, "elites: expected a fraction in"),
        ({"tournament_size": 1}, "tournament_size: expected at least 2"),
        ({"swap_rate": 1.5}, r"swap_rate: expected a share in \[0, 1\], got 1.5"),
    ],
)
def test_numbers_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search(**settings)
