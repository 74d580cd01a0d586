"""The GA over token embeddings."""

from __future__ import annotations

import io
import itertools
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evolution import config
from evolution.search import build as search_build
from evolution.search.candidates import Candidate, Generation, genome_bytes
from evolution.search.vectors import GA_OPERATORS, VectorGA, VectorOperator, build
from models_store.generators.soundfont import vocabulary as soundfont_vocabulary
from tests.unit.small_words import WORDS, Listener, embedded

CHAIN = (
    VectorOperator("TwoPointCrossOver", {"tournament_size": 4}),
    VectorOperator("GaussianMutation", {"stdev": 0.2, "mutation_probability": 0.1}),
)


def search(seed: int = 1, size: int = 24, operators: Sequence[VectorOperator] = CHAIN, **settings: Any) -> VectorGA:
    return VectorGA(
        initial=embedded(size), population_size=size, seed=seed, space=WORDS, operators=operators, **settings
    )


def steps(searcher: VectorGA, listener: Listener, count: int) -> list[Generation]:
    return [searcher.step(listener) for _ in range(count)]


def test_it_beats_random_prompts_of_the_same_number() -> None:
    for seed in range(3):
        listener = Listener(seed)
        last = steps(search(seed), listener, 15)[-1]
        random_prompts = embedded(len(listener.heard), seed=100 + seed)
        best = listener([Candidate(genome.numpy(), 0, "") for genome in random_prompts]).fitness.max()
        assert last.best > best
        assert last.mean > best - 0.1


def test_the_first_generation_is_the_embedded_prompts_named_by_their_tokens() -> None:
    first = search().step(Listener(1))
    assert torch.equal(torch.stack([torch.tensor(np.asarray(each.genome)) for each in first.candidates]), embedded(24))
    assert [each.prompt for each in first.candidates] == WORDS.nearest(embedded(24))
    assert all(each.parents == () and each.operators == () for each in first.candidates)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("OnePointCrossOver", {"tournament_size": 4, "cross_over_rate": 0.5}),
        ("TwoPointCrossOver", {"tournament_size": 2}),
        ("MultiPointCrossOver", {"tournament_size": 2, "num_points": 3}),
        ("SimulatedBinaryCrossOver", {"tournament_size": 3, "eta": 10.0}),
        ("GaussianMutation", {"stdev": 20}),
        ("PolynomialMutation", {"eta": 15.0, "mutation_probability": 0.5}),
        ("CosynePermutation", {"permute_all": True}),
        ("CosynePermutation", {}),
    ],
)
def test_every_operator_keeps_size_bounds_and_history(name: str, parameters: dict[str, Any]) -> None:
    searcher = search(size=9, operators=[VectorOperator(name, parameters)])
    for generation in steps(searcher, Listener(2), 4)[1:]:
        assert len(generation.candidates) == 9
        for each in generation.candidates:
            assert np.abs(np.asarray(each.genome)).max() <= float(WORDS.embeddings.abs().max()) + 2e-3
            assert each.operators == (() if each.elite else (name,))
            assert 1 <= len(each.parents) <= (2 if "CrossOver" in name else 1)


def test_all_operators_of_the_readme_are_known() -> None:
    assert set(GA_OPERATORS) == {
        *("OnePointCrossOver", "TwoPointCrossOver", "MultiPointCrossOver", "SimulatedBinaryCrossOver"),
        *("GaussianMutation", "PolynomialMutation", "CosynePermutation"),
    }


def test_children_consist_of_the_parents_they_name() -> None:
    generations = steps(search(operators=CHAIN[:1]), Listener(3), 4)
    for before, after in itertools.pairwise(generations):
        children = [each for each in after.candidates if not each.elite]
        assert children
        for child in children:
            family = [np.asarray(before.candidates[parent].genome) for parent in child.parents]
            inherited = np.any([np.asarray(child.genome) == member for member in family], axis=0)
            assert inherited.all()


def test_the_same_seed_and_numbers_are_the_same_candidate_and_another_run_draws_another() -> None:
    genome = embedded(2)
    one, two = (search(seed).candidates(genome.flatten(1)) for seed in (1, 2))
    again = search(1).candidates(genome.flip(0).flatten(1))
    assert {each.identity for each in one} == {each.identity for each in again}
    assert {each.seed for each in one}.isdisjoint(each.seed for each in two)


def test_elites_keep_genome_and_seed_and_are_the_best_of_before() -> None:
    before, after = steps(search(elites=0.25), Listener(4), 2)
    elites = {each.parents[0]: each for each in after.candidates if each.elite}
    assert set(elites) == set(before.ranking()[:6])
    for position, elite in elites.items():
        assert elite.identity == before.candidates[position].identity


def test_scores_stand_beside_their_candidates() -> None:
    listener = Listener(5)
    for generation in steps(search(), listener, 4):
        for each, fitness in zip(generation.candidates, generation.scores.fitness, strict=True):
            assert fitness == np.float32(listener.heard[each.identity])
        assert (generation.scores.artefacts == 0.25).all()


def test_the_previous_population_is_scored_again_first_and_then_only_children_are_heard() -> None:
    searcher, listener = search(elites=0.25), Listener(6)
    first = searcher.step(listener)
    listener.taste = -listener.taste
    listener.calls.clear()
    second = searcher.step(listener)
    assert listener.calls[0] == first.candidates
    assert [len(call) for call in listener.calls] == [24, 18]
    assert (first.ranking()[-1],) in [each.parents for each in second.candidates if each.elite]


def test_elitist_false_keeps_nobody_where_nothing_selects_either() -> None:
    mutation = [VectorOperator("GaussianMutation", {"stdev": 0.3})]
    made = steps(search(operators=mutation, elites=0.5, evotorch_parameters={"elitist": False}), Listener(7), 3)
    assert not any(each.elite for generation in made for each in generation.candidates)
    kept = steps(search(operators=mutation, elites=0.5), Listener(7), 3)
    assert any(each.elite for each in kept[-1].candidates)


def test_elitist_false_overrides_elites() -> None:
    second = steps(search(elites=0.5, evotorch_parameters={"elitist": False}), Listener(7), 2)[1]
    assert not any(each.elite for each in second.candidates)
    assert any(
        each.elite
        for each in steps(search(elites=0.0, evotorch_parameters={"elitist": True}), Listener(7), 2)[1].candidates
    )
    assert not any(each.elite for each in steps(search(elites=0.0), Listener(7), 2)[1].candidates)


def test_without_a_crossover_the_best_of_parents_and_children_live_on() -> None:
    listener = Listener(8)
    generations = steps(search(operators=[VectorOperator("GaussianMutation", {"stdev": 0.1})]), listener, 8)
    worst = [generation.worst for generation in generations]
    assert worst == sorted(worst)
    assert worst[-1] > worst[0]


def test_a_saved_search_goes_on_bit_for_bit() -> None:
    undisturbed = search(9)
    expected = steps(undisturbed, Listener(9), 5)
    stopped = search(9)
    steps(stopped, Listener(9), 2)
    stored = io.BytesIO()
    torch.save(stopped.state(), stored)
    stored.seek(0)
    resumed = search(77)
    resumed.restore(torch.load(stored, weights_only=True))
    torch.manual_seed(4)  # whatever else the process drew must not matter
    assert [each.candidates for each in steps(resumed, Listener(9), 3)] == [each.candidates for each in expected[2:]]


def test_another_process_breeds_the_same() -> None:
    code = (
        "from tests.unit.test_vectors import *\n"
        "import hashlib\n"
        "last = steps(search(10), Listener(10), 3)[-1]\n"
        "print(hashlib.blake2b(b''.join(genome_bytes(c) + str(c.seed).encode() for c in last.candidates)).hexdigest())"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "ignore", "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout
    import hashlib

    last = steps(search(10), Listener(10), 3)[-1]
    here = b"".join(genome_bytes(each) + str(each.seed).encode() for each in last.candidates)
    assert told.strip().splitlines()[-1] == hashlib.blake2b(here).hexdigest()


def test_no_global_generator_is_touched() -> None:
    plain, arrays, tensors = random.getstate(), np.random.get_state()[1].copy(), torch.random.get_rng_state()
    every = [
        VectorOperator("OnePointCrossOver", {"tournament_size": 2}),
        *CHAIN[1:],
        VectorOperator("PolynomialMutation"),
    ]
    steps(search(operators=every), Listener(1), 3)
    assert random.getstate() == plain
    assert (np.random.get_state()[1] == arrays).all()
    assert torch.equal(torch.random.get_rng_state(), tensors)


@pytest.mark.parametrize(
    ("operators", "settings", "message"),
    [
        ([VectorOperator("OnePointCrossover")], {}, "expected one of OnePointCrossOver, TwoPoint"),
        (
            [VectorOperator("GaussianMutation", {"sdev": 1.0})],
            {},
            "GaussianMutation: expected parameters among stdev, mutation_probability, got 'sdev'",
        ),
        ([VectorOperator("GaussianMutation", {})], {}, "GaussianMutation: .*stdev"),
        ([VectorOperator("MultiPointCrossOver", {"tournament_size": 2})], {}, "MultiPointCrossOver: "),
        ([VectorOperator("OnePointCrossOver", {"tournament_size": 2, "num_children": 3})], {}, "even number"),
        ([CHAIN[1], CHAIN[0]], {}, "expected TwoPointCrossOver first, .* after GaussianMutation"),
        ([], {}, "expected at least one operator"),
        (CHAIN, {"evotorch_parameters": {"elitism": True}}, "expected parameters among elitist, got elitism"),
        (CHAIN, {"evotorch_parameters": {"elitist": "yes"}}, "elitist: expected true or false, got 'yes'"),
        (CHAIN, {"elites": 1.0}, "elites: expected a fraction"),
    ],
)
def test_operators_that_cannot_work_are_refused(
    operators: Sequence[VectorOperator], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        search(operators=operators, **settings)


def test_initial_genomes_of_another_number_are_refused() -> None:
    with pytest.raises(ValueError, match=r"initial: expected \[24, tokens, dim\].* got shape \(3, 6, 8\)"):
        VectorGA(initial=embedded(3), population_size=24, seed=1, operators=CHAIN)


def test_a_pool_that_memory_does_not_hold_is_thinned_evenly() -> None:
    pool = [str(number) for number in range(10)]
    assert build._spread(pool, 10) is pool
    assert build._spread(pool, 4) == ["0", "2", "5", "7"]
    assert len(build._spread(pool, 0)) == 2


def test_the_embedded_generator_s_pool_is_never_thinned() -> None:
    prompts = len(config.read_prompts(search_build.POOL))
    longest = config.Evolution.model_fields["max_seq_len"].metadata
    most_tokens = max(limit.le for limit in longest if hasattr(limit, "le"))
    assert prompts * most_tokens * soundfont_vocabulary.DIM <= build._most(WORDS)
