"""CMAES, SNES, PGPE, XNES and CEM, and what all vector searches do in a subspace."""

from __future__ import annotations

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
from evolution.search import vectors
from evolution.search.candidates import Candidate, Generation, Scores, genome_bytes
from evolution.search.vectors import VectorGA, VectorOperator, VectorSearcher
from evolution.search.vectors.build import DISTRIBUTION_SEARCHES, vector_searcher
from evolution.search.vectors.distributions import known_parameters
from models_store import checkpoints
from tests.unit.small_words import DIM, WORDS, Listener, embedded, texts

# evotorch's own CMA-ES makes a tensor in a way that torch warns of.
pytestmark = pytest.mark.filterwarnings("ignore:To copy construct from a tensor:UserWarning")

POOL = embedded(300, seed=3)
GA = (
    VectorOperator("TwoPointCrossOver", {"tournament_size": 4}),
    VectorOperator("GaussianMutation", {"stdev": 0.2, "mutation_probability": 0.1}),
)
MODES = tuple(DISTRIBUTION_SEARCHES)
VARIANTS = [
    *((mode, {}) for mode in MODES),
    *((mode, {"subspace": 12}) for mode in ("GA", *MODES)),
    *((mode, {"subspace": 12, "snap": True}) for mode in ("GA", "CMAES", "SNES")),
    ("GA", {"snap": True}),
    ("CMAES", {"evotorch": {"separable": True}}),
    ("SNES", {"evotorch": {"optimizer": "adam", "center_learning_rate": 0.1, "stdev_max_change": 0.3}}),
    ("SNES", {"evotorch": {"optimizer": "sgd", "optimizer_config": {"momentum": 0.5}, "radius_init": 2.0}}),
    ("XNES", {"evotorch": {"ranking_method": "centered", "radius_init": 2.0}}),
    ("PGPE", {"evotorch": {"symmetric": False, "ranking_method": "nes"}}),
]


def search(mode: str, seed: int = 1, size: int = 24, **settings: Any) -> VectorSearcher:
    evotorch = settings.pop("evotorch", {})
    common = {"initial": embedded(size), "population_size": size, "seed": seed, "space": WORDS, "pool": POOL}
    if mode == "GA":
        return VectorGA(**{**common, **settings}, operators=GA, evotorch_parameters=evotorch)
    return DISTRIBUTION_SEARCHES[mode](**{**common, "elites": 0.0, **settings}, evotorch_parameters=evotorch)


def steps(searcher: VectorSearcher, listener: Any, count: int) -> list[Generation]:
    return [searcher.step(listener) for _ in range(count)]


def genomes(generation: Generation) -> torch.Tensor:
    return torch.stack([torch.tensor(np.asarray(each.genome)) for each in generation.candidates])


@pytest.mark.parametrize("settings", [{}, {"subspace": 16}])
@pytest.mark.parametrize("mode", MODES)
def test_every_search_ends_better_than_the_best_of_as_many_random_prompts(mode: str, settings: dict[str, Any]) -> None:
    ahead = []
    for seed in range(2):
        listener = Listener(seed)
        last = steps(search(mode, seed, size=40, **settings), listener, 15)[-1]
        drawn = listener([Candidate(genome.numpy(), 0, "") for genome in embedded(600, seed=100 + seed)]).fitness
        ahead.append((last.best - drawn.max(), last.mean - drawn.mean()))
    best, mean = np.mean(ahead, axis=0)
    assert best > 0.0
    assert mean > 0.5


@pytest.mark.parametrize("mode", ["GA", *MODES])
def test_a_linear_slope_is_climbed(mode: str) -> None:
    direction = torch.randn(12, generator=torch.Generator().manual_seed(4)).numpy()
    searcher = search(mode, size=30, subspace=12)

    def slope(candidates: Sequence[Candidate]) -> Scores:
        played = torch.stack([torch.tensor(np.asarray(each.genome)) for each in candidates])
        height = (searcher._space.encode(played).numpy() @ direction).astype(np.float32)
        return Scores(height, height, np.zeros_like(height))

    means = [searcher.step(slope).mean for _ in range(10)]
    assert all(after > before for before, after in itertools.pairwise(means))


@pytest.mark.parametrize("size", [2, 4, 6])
@pytest.mark.parametrize("mode", ["GA", *MODES])
def test_a_small_population_searches_too(mode: str, size: int) -> None:
    assert [len(each.candidates) for each in steps(search(mode, size=size, subspace=3), Listener(1), 4)] == [size] * 4


@pytest.mark.parametrize("mode", MODES)
def test_the_first_generation_is_the_embedded_prompts_and_the_next_is_all_new(mode: str) -> None:
    first, second = steps(search(mode), Listener(1), 2)
    assert torch.equal(genomes(first), embedded(24))
    assert [each.prompt for each in first.candidates] == WORDS.nearest(embedded(24))
    assert not {each.identity for each in first.candidates} & {each.identity for each in second.candidates}
    assert len(second.candidates) == 24
    assert all(not each.elite for each in second.candidates)


@pytest.mark.parametrize(("mode", "settings"), VARIANTS)
def test_a_saved_search_goes_on_bit_for_bit(mode: str, settings: dict[str, Any]) -> None:
    expected = steps(search(mode, 9, **settings), Listener(9), 5)
    stopped = search(mode, 9, **settings)
    for done in (1, 3):
        steps(stopped, Listener(9), done - stopped.generations)
        resumed = search(mode, 77, **settings)
        resumed.restore(checkpoints.from_bytes(checkpoints.to_bytes(stopped.state())))
        torch.manual_seed(4)  # whatever else the process drew must not matter
        following = steps(resumed, Listener(9), 5 - done)
        assert [each.candidates for each in following] == [each.candidates for each in expected[done:]]


def test_another_process_draws_the_same() -> None:
    code = (
        "from tests.unit.test_vectors_distributions import *\n"
        "print(digest([steps(search(m, 10, subspace=12), Listener(10), 3)[-1] for m in ('GA', *MODES)]))"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "ignore", "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout
    here = digest([steps(search(mode, 10, subspace=12), Listener(10), 3)[-1] for mode in ("GA", *MODES)])
    assert told.strip().splitlines()[-1] == here


def digest(generations: Sequence[Generation]) -> str:
    import hashlib

    heard = b"".join(genome_bytes(each) + str(each.seed).encode() for last in generations for each in last.candidates)
    return hashlib.blake2b(heard).hexdigest()


@pytest.mark.parametrize("mode", ["GA", *MODES])
def test_an_interrupted_step_can_be_repeated(mode: str) -> None:
    undisturbed, searcher, listener = search(mode, 3, subspace=12), search(mode, 3, subspace=12), Listener(3)
    expected = steps(undisturbed, Listener(3), 4)
    steps(searcher, listener, 2)
    calls = 0

    def lost(candidates: Sequence[Candidate]) -> Scores:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError("the players are gone")
        return listener(candidates)

    before = checkpoints.to_bytes(searcher.state())
    with pytest.raises(OSError, match="gone"):
        searcher.step(lost)
    assert checkpoints.to_bytes(searcher.state()) == before
    assert [each.candidates for each in steps(searcher, listener, 2)] == [each.candidates for each in expected[2:]]


@pytest.mark.parametrize("mode", ["CMAES", "XNES"])
def test_a_full_covariance_begins_as_the_pools_and_else_as_evotorch_has_it(mode: str) -> None:
    rows = POOL.flatten(1)
    drawn = genomes(steps(search(mode, size=2000), lambda each: scores_of(len(each)), 2)[-1]).flatten(1)
    correlation = torch.corrcoef(torch.stack([drawn.T.cov().flatten(), rows.T.cov().flatten()]))[0, 1]
    assert correlation > 0.9
    given = steps(search(mode, size=2000, evotorch={"stdev_init": 0.5}), lambda each: scores_of(len(each)), 2)[-1]
    assert torch.allclose(genomes(given).flatten(1).T.cov(), 0.25 * torch.eye(rows.shape[1]), atol=0.05)


def scores_of(count: int) -> Scores:
    numbers = np.linspace(0.0, 1.0, count, dtype=np.float32)
    return Scores(numbers, numbers, np.zeros_like(numbers))


@pytest.mark.parametrize("mode", MODES)
def test_it_learns_from_what_the_previous_generation_scores_now(mode: str) -> None:
    turned, straight = (search(mode, 5, size=40, subspace=12) for _ in range(2))
    listener, other = Listener(5), Listener(5)
    first = turned.step(listener)
    straight.step(other)
    listener.taste = -listener.taste
    listener.calls.clear()
    second, unturned = turned.step(listener), straight.step(other)
    assert listener.calls == [first.candidates, second.candidates]
    assert second.mean > -unturned.mean + 0.2


@pytest.mark.parametrize("mode", ["GA", *MODES])
def test_no_global_generator_is_touched(mode: str) -> None:
    plain, arrays, tensors = random.getstate(), np.random.get_state()[1].copy(), torch.random.get_rng_state()
    steps(search(mode, subspace=12), Listener(1), 3)
    assert random.getstate() == plain
    assert (np.random.get_state()[1] == arrays).all()
    assert torch.equal(torch.random.get_rng_state(), tensors)


@pytest.mark.parametrize("mode", ["GA", *MODES])
def test_in_a_subspace_every_genome_lies_in_it(mode: str) -> None:
    searcher = search(mode, subspace=12)
    for generation in steps(searcher, Listener(2), 3):
        played = genomes(generation)
        assert torch.allclose(searcher._space.decode(searcher._space.encode(played)), played, atol=1e-5)


@pytest.mark.parametrize("settings", [{"snap": True}, {"snap": True, "subspace": 12}])
@pytest.mark.parametrize("mode", ["GA", "SNES", "CMAES"])
def test_snapped_genomes_are_real_tokens_and_say_what_their_prompts_say(mode: str, settings: dict[str, Any]) -> None:
    for generation in steps(search(mode, **settings), Listener(2), 4):
        played = genomes(generation)
        assert torch.equal(WORDS.embeddings[WORDS.nearest_ids(played)], played)
        assert [each.prompt for each in generation.candidates] == WORDS.nearest(played)


@pytest.mark.parametrize("mode", DISTRIBUTION_SEARCHES)
@pytest.mark.parametrize("settings", [{}, {"subspace": 16, "snap": True}])
def test_the_best_are_kept_beside_what_is_drawn_and_are_not_played_again(mode: str, settings: dict[str, Any]) -> None:
    before, after = steps(search(mode, elites=0.25, **settings), Listener(4), 2)
    elites = [each for each in after.candidates if each.elite]
    assert [each.parents for each in elites] == [(place,) for place in before.ranking()[:6]]
    assert all(each.identity == before.candidates[each.parents[0]].identity for each in elites)
    assert after.candidates[: len(elites)] == tuple(elites)


@pytest.mark.parametrize("mode", DISTRIBUTION_SEARCHES)
def test_with_elites_what_was_found_is_never_lost(mode: str) -> None:
    best = [generation.best for generation in steps(search(mode, elites=0.1, subspace=12), Listener(9), 6)]
    assert best == sorted(best)


@pytest.mark.parametrize("mode", DISTRIBUTION_SEARCHES)
def test_with_elites_a_resumed_search_goes_on_to_the_last_bit(mode: str) -> None:
    undisturbed, stopped, resumed = (search(mode, elites=0.25, subspace=12) for _ in range(3))
    expected = steps(undisturbed, Listener(3), 5)
    steps(stopped, Listener(3), 3)
    resumed.restore(checkpoints.from_bytes(checkpoints.to_bytes(stopped.state())))
    assert [each.candidates for each in steps(resumed, Listener(3), 2)] == [each.candidates for each in expected[3:]]


def test_pgpe_keeps_one_more_where_an_odd_number_would_be_drawn() -> None:
    after = steps(search("PGPE", size=25, elites=0.2), Listener(4), 2)[-1]
    assert sum(each.elite for each in after.candidates) == 5
    after = steps(search("PGPE", size=24, elites=0.2), Listener(4), 2)[-1]
    assert sum(each.elite for each in after.candidates) == 6


def test_elites_of_a_snapped_ga_keep_their_evaluation() -> None:
    before, after = steps(search("GA", elites=0.25, subspace=12, snap=True), Listener(4), 2)
    elites = [each for each in after.candidates if each.elite]
    assert len(elites) == 6
    assert all(each.identity == before.candidates[each.parents[0]].identity for each in elites)


def test_a_state_of_another_subspace_is_refused_and_changes_nothing() -> None:
    searcher = search("SNES", subspace=12)
    steps(searcher, Listener(1), 2)
    state = searcher.state()
    for other in (search("SNES", subspace=11), search("SNES"), search("SNES", subspace=12, pool=POOL[:-1])):
        before = checkpoints.to_bytes(other.state())
        with pytest.raises(ValueError, match="search state: expected the space"):
            other.restore(state)
        assert checkpoints.to_bytes(other.state()) == before
    with pytest.raises(ValueError, match=r"expected the keys of state\(\), missing \['belief', 'space'\]"):
        searcher.restore({name: value for name, value in state.items() if name not in ("belief", "space")})
    with pytest.raises(ValueError, match=r"expected coordinates \(24, 12\), got \(24, 3\)"):
        searcher.restore({**state, "coordinates": state["coordinates"][:, :3]})
    with pytest.raises(ValueError, match="expected one of mode 'XNES', got one of 'SNES'"):
        search("XNES", subspace=12).restore(state)


@pytest.mark.parametrize(
    ("mode", "settings", "message"),
    [
        ("SNES", {"evotorch": {"stdev": 1.0}}, "parameters of SNES among stdev_init, radius_init, .* got 'stdev'"),
        ("CMAES", {"evotorch": {"elitist": True}}, "parameters of CMAES among stdev_init, .* got 'elitist'"),
        ("XNES", {"evotorch": {"popsize": 7}}, "parameters of XNES among .* got 'popsize'"),
        ("SNES", {"evotorch": {"stdev_init": 1.0, "radius_init": 1.0}}, "SNES: "),
        ("SNES", {"evotorch": {"ranking_method": "best"}}, "SNES: .*best"),
        ("PGPE", {"evotorch": {"optimizer": "newton"}}, "PGPE: .*newton"),
        ("PGPE", {"size": 25}, "population_size: expected an even number for PGPE, .*, got 25"),
        ("CEM", {"evotorch": {"parenthood_ratio": 1.5}}, "parenthood_ratio: .*got 1.5"),
        ("XNES", {"evotorch": {"optimizer": "adam"}}, "optimizer: expected none for XNES, .* got 'adam'"),
        ("CEM", {"evotorch": {"parenthood_ratio": 0.05}}, "parenthood_ratio: expected a share of at least two"),
        ("CEM", {"evotorch": {"parenthood_ratio": "half"}}, "parenthood_ratio: .*got 'half'"),
        ("CMAES", {"evotorch": {"c_mu": "large"}}, "CMAES: "),
        ("SNES", {"snap": True, "space": None}, "snap: expected a vocabulary"),
        ("SNES", {"subspace": 400}, r"subspace: expected at most \d+"),
        ("SNES", {"pool": POOL[:, :3]}, r"pool: expected \[P, 6, 8\], got \(300, 3, 8\)"),
    ],
)
def test_what_cannot_work_is_refused(mode: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search(mode, **settings)


@pytest.mark.parametrize(("mode", "tensors"), [("CMAES", 2), ("XNES", 3)])
def test_a_full_covariance_that_does_not_fit_is_refused_with_its_size_and_what_does_fit(
    mode: str, tensors: int
) -> None:
    large = torch.randn(100, 25, 768, generator=torch.Generator().manual_seed(1))
    built = DISTRIBUTION_SEARCHES[mode]
    expected = f"got 19200 dimensions, .* {tensors} tensors .* of 137 GiB each; set .*subspace"
    with pytest.raises(ValueError, match=expected) as told:
        built(initial=large, population_size=100, seed=1)
    assert ("separable" in str(told.value)) == (mode == "CMAES")
    assert built(initial=large, population_size=100, seed=1, subspace=16).shape == (25, 768)
    separable = vectors.CMAESSearch(initial=large, population_size=100, seed=1, evotorch_parameters={"separable": True})
    assert separable.shape == (25, 768)


@pytest.mark.parametrize("mode", ["GA", *MODES])
def test_a_configuration_builds_the_search_it_describes(mode: str) -> None:
    described = config.parse(
        {"search": {"mode": mode, "population_size": 8, "subspace": 5, "snap": True}}
    ).evolution.search
    built = vector_searcher(described, length=4, seed=1, space=WORDS, initial_prompts=texts(8), pool=texts(100, seed=3))
    assert built.mode == mode
    first, second = (built.step(Listener(1)) for _ in range(2))
    for each in (*first.candidates, *second.candidates):
        genome = torch.tensor(np.asarray(each.genome))[None]
        assert genome.shape == (1, 4, DIM)
        assert torch.equal(WORDS.embeddings[WORDS.nearest_ids(genome)], genome)
    assert built.state()["coordinates"].shape == (8, 5)


def test_a_search_of_another_kind_is_not_built_here() -> None:
    described = config.parse({"search": {"mode": "prompt GA", "population_size": 8}}).evolution.search
    with pytest.raises(ValueError, match=r"expected one of GA, CMAES, SNES, PGPE, XNES, CEM .* got 'prompt GA'"):
        vector_searcher(described, length=4, seed=1, space=WORDS, initial_prompts=texts(8))


@pytest.mark.parametrize("mode", MODES)
def test_a_configuration_and_the_search_know_the_same_parameters(mode: str) -> None:
    from evolution.config.evotorch_parameters import ALGORITHMS

    assert set(known_parameters(DISTRIBUTION_SEARCHES[mode].algorithm)) == set(ALGORITHMS[mode])
