"""The prompt GA: evolution on the words of prompts."""

from __future__ import annotations

import io
import itertools
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from evolution.search import prompt_operators
from evolution.search.candidates import NEW_SEED, NOVEL, Candidate, Generation, Scores
from evolution.search.prompt_ga import PromptGA
from models_store import prompts
from models_store.prompts import StructuredPrompt

LEXICON = {
    "mood": tuple(f"mood{number}" for number in range(20)),
    "genre": tuple(f"genre{number}" for number in range(24)),
    "instruments": tuple(f"instrument{number}" for number in range(40)),
    "tempo": ("very slow", "slow", "fast", "very fast", "60 bpm", "120 bpm"),
    "key": ("c major", "d minor", "e minor"),
    "setting": tuple(f"place{number}" for number in range(10)),
}
DIM = 16


class Listener:
    """Likes prompts by hidden preferences: words are directions, a prompt is their normalised sum with a little of
    its seed, and the fitness is the cosine to a hidden direction."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.words = {word: draw.normal(size=DIM) for words in LEXICON.values() for word in words}
        self.taste = draw.normal(size=DIM)
        self.taste /= np.linalg.norm(self.taste)
        self.heard: dict[tuple[bytes, int], np.ndarray] = {}
        self.calls: list[tuple[Candidate, ...]] = []

    def embedding(self, candidate: Candidate) -> np.ndarray:
        if candidate.identity not in self.heard:
            prompt = prompts.parse(candidate.prompt, LEXICON)
            said = [getattr(prompt, slot) for slot in ("mood", "genre", "genre", "key", "setting", "tempo")]
            total = sum((self.words.get(word, np.zeros(DIM)) for word in (*said, *prompt.instruments)), np.zeros(DIM))
            total = total + 0.7 * np.random.default_rng(candidate.seed).normal(size=DIM)
            self.heard[candidate.identity] = total / np.linalg.norm(total)
        return self.heard[candidate.identity]

    def __call__(self, candidates: Sequence[Candidate]) -> Scores:
        self.calls.append(tuple(candidates))
        fitness = np.array([self.embedding(candidate) @ self.taste for candidate in candidates])
        return Scores(fitness, fitness, np.zeros(len(fitness)))

    def variety(self, candidates: Sequence[Candidate]) -> float:
        """The mean cosine distance of pairs."""
        embeddings = np.array([self.embedding(candidate) for candidate in candidates])
        size = len(embeddings)
        return float(1.0 - ((embeddings @ embeddings.T).sum() - size) / (size * (size - 1)))


def search(seed: int = 1, size: int = 32, **settings: object) -> PromptGA:
    return PromptGA(lexicon=LEXICON, population_size=size, seed=seed, **settings)  # type: ignore[arg-type]


def steps(searcher: PromptGA, evaluate: Callable[[Sequence[Candidate]], Scores], count: int) -> list[Generation]:
    return [searcher.step(evaluate) for _ in range(count)]


def top(generation: Generation) -> list[Candidate]:
    return [generation.candidates[position] for position in generation.ranking()[:8]]


def test_it_clearly_beats_random_prompts_of_the_same_number() -> None:
    evolved, drawn = [], []
    for seed in range(3):
        listener = Listener(seed)
        last = steps(search(seed), listener, 16)[-1]
        evolved.append(float(listener(top(last)).fitness.mean()))
        rng = random.Random(seed)
        texts = [prompts.draw(LEXICON, rng).text() for _ in range(len(listener.heard))]
        fitness = listener([Candidate(text, rng.randrange(2**31), text) for text in texts]).fitness
        drawn.append(float(np.sort(fitness)[-8:].mean()))
    # Sixteen generations are six rounds of three, of which the first is one. The best eight of each are compared.
    assert np.mean(evolved) > np.mean(drawn) + 0.1
    assert all(one > other for one, other in zip(evolved, drawn, strict=True))


def test_two_generations_more_are_already_better_for_the_listener() -> None:
    gains = []
    for seed in range(5):
        listener = Listener(seed)
        generations = steps(search(seed), listener, 4)
        gains.append(listener(top(generations[3])).fitness.mean() - listener(top(generations[0])).fitness.mean())
    assert np.mean(gains) > 0.1


def test_a_population_stays_varied_after_six_rounds() -> None:
    ratios, prompts_of_eight = [], []
    for seed in range(3):
        listener = Listener(seed)
        generations = steps(search(seed), listener, 16)
        ratios.append(listener.variety(generations[-1].candidates) / listener.variety(generations[0].candidates))
        prompts_of_eight.append(len({candidate.prompt for candidate in top(generations[-1])}))
    assert np.mean(ratios) > 0.5
    assert min(prompts_of_eight) >= 4


def test_no_word_takes_more_than_its_share_except_by_elites() -> None:
    for generation in steps(search(most_share={"genre": 0.25}), Listener(2), 6):
        children = [each for each in generation.candidates if not each.elite]
        said = [prompts.parse(each.prompt, LEXICON).genre for each in children]
        assert max(said.count(word) for word in set(said) - {""}) <= 8


def test_elites_keep_genome_and_seed_and_are_the_best_of_before() -> None:
    listener = Listener(3)
    before, after = steps(search(elites=0.1), listener, 2)
    elites = [candidate for candidate in after.candidates if candidate.elite]
    assert [candidate.parents for candidate in elites] == [(position,) for position in before.ranking()[:3]]
    for elite in elites:
        assert elite.identity == before.candidates[elite.parents[0]].identity
        assert elite.operators == ()


def test_the_previous_population_is_scored_again_before_breeding() -> None:
    searcher, disliker = search(elites=0.05), Listener(4)
    first = searcher.step(disliker)
    disliker.taste = -disliker.taste
    disliker.calls.clear()
    second = searcher.step(disliker)
    assert disliker.calls == [first.candidates, second.candidates]
    worst_before = first.ranking()[-1]
    elites = [candidate.parents for candidate in second.candidates if candidate.elite]
    assert (worst_before,) in elites


def test_children_name_their_parents_and_the_operators_that_made_them() -> None:
    generations = steps(search(), Listener(5), 3)
    assert all(candidate.parents == () for candidate in generations[0].candidates)
    known = {*(operator.name for operator in prompt_operators.OPERATORS), NEW_SEED, NOVEL}
    for before, after in itertools.pairwise(generations):
        for child in after.candidates:
            assert set(child.operators) <= known
            assert all(0 <= parent < len(before.candidates) for parent in child.parents)
            assert child.elite or child.operators
            if NOVEL in child.operators:
                assert child.parents == ()
            elif "crossover" in child.operators:
                assert len(child.parents) == 2
            elif not child.elite:
                assert len(child.parents) == 1


def test_a_child_that_nothing_changed_is_another_piece_of_the_same_prompt() -> None:
    first, second = steps(search(operators=(), novel_prompts=0.0, most_share={}), Listener(6), 2)
    for child in second.candidates:
        parent = first.candidates[child.parents[0]]
        assert child.prompt == parent.prompt
        assert (child.seed == parent.seed) == child.elite


@pytest.mark.parametrize("size", [2, 3, 7, 32])
def test_populations_have_their_size_and_no_two_equal_candidates(size: int) -> None:
    for generation in steps(search(size=size, tournament_size=5), Listener(7), 4):
        assert len(generation.candidates) == size
        assert len({candidate.identity for candidate in generation.candidates}) == size


def test_a_lexicon_of_one_word_still_gives_different_candidates() -> None:
    searcher = PromptGA(lexicon={"genre": ("genre1",)}, population_size=8, seed=1)
    for generation in steps(searcher, Listener(7), 3):
        assert len({candidate.identity for candidate in generation.candidates}) == 8


def test_fractions_are_rounded_but_never_zero() -> None:
    second = steps(search(size=32, elites=0.01, novel_prompts=0.01), Listener(8), 2)[1]
    assert sum(candidate.elite for candidate in second.candidates) == 1
    assert sum(NOVEL in candidate.operators for candidate in second.candidates) == 1
    none = steps(search(size=32, elites=0.0, novel_prompts=0.0), Listener(8), 2)[1]
    assert not any(candidate.elite or NOVEL in candidate.operators for candidate in none.candidates)


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-9, 0.1, 1e9, float("inf")])
def test_selection_is_safe_at_any_temperature(temperature: float) -> None:
    generations = steps(search(size=8, temperature=temperature), Listener(9), 3)
    assert len(generations[-1].candidates) == 8


def test_given_prompts_are_the_first_population_and_drawn_ones_fill_it() -> None:
    given_prompts = ["Genre1, no drums", "something else"]
    few = search(size=8, initial_prompts=given_prompts).step(Listener(1))
    assert [candidate.genome for candidate in few.candidates[:2]] == given_prompts
    many = search(size=4, initial_prompts=[f"prompt {number}" for number in range(20)]).step(Listener(1))
    assert len({candidate.genome for candidate in many.candidates}) == 4


def test_what_a_prompt_denies_is_passed_on() -> None:
    searcher = search(size=8, initial_prompts=["genre1, no drums"] * 8, novel_prompts=0.0)
    for generation in steps(searcher, Listener(1), 4):
        assert all("no drums" in candidate.prompt for candidate in generation.candidates)


def test_a_saved_search_goes_on_bit_for_bit() -> None:
    undisturbed = search(11)
    expected = steps(undisturbed, Listener(11), 6)
    stopped = search(11)
    steps(stopped, Listener(11), 3)
    stored = io.BytesIO()
    torch.save(stopped.state(), stored)
    stored.seek(0)
    resumed = search(999)
    resumed.restore(torch.load(stored, weights_only=True))
    assert resumed.population == expected[2].candidates
    went_on = steps(resumed, Listener(11), 3)
    assert [each.candidates for each in went_on] == [each.candidates for each in expected[3:]]
    assert [each.index for each in went_on] == [3, 4, 5]
    assert resumed.state() == undisturbed.state()


def test_a_step_that_failed_can_be_repeated() -> None:
    listener = Listener(12)
    expected = steps(search(12), Listener(12), 3)
    searcher = search(12)
    searcher.step(listener)

    def dies_at_the_children(candidates: Sequence[Candidate]) -> Scores:
        if candidates != searcher.population:
            raise ConnectionError("the player is gone")
        return listener(candidates)

    with pytest.raises(ConnectionError):
        searcher.step(dies_at_the_children)
    assert [each.candidates for each in steps(searcher, listener, 2)] == [each.candidates for each in expected[1:]]


def test_another_process_with_another_hash_seed_breeds_the_same() -> None:
    code = (
        "from tests.unit.test_prompt_ga import *\n"
        "print([(c.prompt, c.seed, c.parents) for c in steps(search(13), Listener(13), 3)[-1].candidates])"
    )
    root = Path(__file__).parents[2]
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root, env={"PYTHONHASHSEED": "77"}
    ).stdout
    here = [(each.prompt, each.seed, each.parents) for each in steps(search(13), Listener(13), 3)[-1].candidates]
    assert told.strip() == str(here)


def test_no_global_generator_is_touched() -> None:
    plain, arrays, tensors = random.getstate(), np.random.get_state()[1].copy(), torch.random.get_rng_state()
    steps(search(), Listener(1), 2)
    assert random.getstate() == plain
    assert (np.random.get_state()[1] == arrays).all()
    assert torch.equal(torch.random.get_rng_state(), tensors)


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    searcher = search()
    searcher.step(Listener(1))
    before = searcher.state()
    with pytest.raises(ValueError, match="missing \\['population', 'seed'\\]"):
        searcher.restore({"mode": "prompt GA", "generations": 1})
    with pytest.raises(ValueError, match="expected one of mode 'prompt GA', got one of 'GA'"):
        searcher.restore({**before, "mode": "GA"})
    assert searcher.state() == before


def test_scores_of_another_number_than_asked_are_refused() -> None:
    def answers_one(_: Sequence[Candidate]) -> Scores:
        return Scores(np.zeros(1), np.zeros(1), np.zeros(1))

    with pytest.raises(ValueError, match="expected scores for 32 candidates, got 1"):
        search().step(answers_one)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 1}, "population_size: expected at least 2"),
        ({"seed": -1}, "seed: expected an integer >= 0"),
        ({"elites": 1.0, "novel_prompts": 0.0}, "elites: expected less than 1"),
        ({"elites": 0.6, "novel_prompts": 0.6}, "expected at most 1"),
        ({"elites": -0.1}, "expected a number in \\[0, 1\\]"),
        ({"temperature": -1.0}, "temperature: expected a number >= 0"),
        ({"temperature": float("nan")}, "temperature: expected a number >= 0"),
        ({"tournament_size": 1}, "tournament_size: expected at least 2"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search(**settings)  # type: ignore[arg-type]


def test_crossover_takes_each_slot_from_a_parent() -> None:
    first = StructuredPrompt("mood1", "genre1", ("instrument1", "instrument2"), "slow", "c major", "", ("no drums",))
    second = StructuredPrompt("mood2", "genre2", ("instrument2", "instrument3"), "fast", "", "place1")
    rng = random.Random(1)
    children = [prompt_operators.crossover((first, second), LEXICON, rng) for _ in range(60)]
    for child in children:
        for slot in ("mood", "genre", "tempo", "key", "setting", "rest"):
            assert getattr(child, slot) in (getattr(first, slot), getattr(second, slot))
        assert "instrument2" in child.instruments
        assert set(child.instruments) <= {"instrument1", "instrument2", "instrument3"}
    assert len(set(children)) > 20


def test_mutations_keep_to_the_lexicon_and_change_one_thing() -> None:
    rng = random.Random(2)
    prompt = StructuredPrompt("mood1", "genre1", ("instrument1",), "slow", "c major", "place1")
    for _ in range(80):
        worded = prompt_operators.change_word((prompt,), LEXICON, rng)
        changed = [slot for slot in prompts.SLOTS if getattr(worded, slot) != getattr(prompt, slot)]
        assert len(changed) == 1
        assert getattr(worded, changed[0]) in (*LEXICON[changed[0]], "")
        played = prompt_operators.change_instruments((prompt,), LEXICON, rng).instruments
        assert played != prompt.instruments
        assert 1 <= len(played) <= 4
        assert set(played) <= set(LEXICON["instruments"])
        assert prompt_operators.shift_tempo((prompt,), LEXICON, rng).tempo in ("very slow", "fast")


@pytest.mark.parametrize(
    ("tempo", "slowest", "fastest"), [("92 bpm", 73, 115), ("40 bpm", 40, 50), ("220 bpm", 176, 220)]
)
def test_a_tempo_in_beats_is_shifted_by_a_quarter_at_most(tempo: str, slowest: int, fastest: int) -> None:
    rng = random.Random(3)
    for _ in range(30):
        shifted = prompt_operators.shift_tempo((StructuredPrompt(tempo=tempo),), LEXICON, rng).tempo
        assert slowest <= float(shifted.removesuffix(" bpm")) <= fastest
