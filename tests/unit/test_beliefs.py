"""Beliefs: what listeners love is found, in words, with the songs that told it; and what is not known is not said."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from torch import Tensor

from models_store.aligner import shipped
from models_store.aligner.concepts import Concepts
from models_store.taste import beliefs
from models_store.taste.base import EmbeddingTaste, Taste, reference_taste
from models_store.taste.bayes import Bayes
from models_store.taste.beliefs import Belief
from models_store.taste.memory import Memory

RATED = 40


@lru_cache(maxsize=1)
def concepts() -> Concepts:
    return Concepts.load_for("spectral")


@lru_cache(maxsize=1)
def learner() -> Bayes:
    return Bayes(shipped.load_for("spectral"))


def words_of(songs: Tensor) -> list[set[str]]:
    """What the prompts of songs of the pool (indices) say."""
    has = concepts().has[:, songs]
    said = [slot != "sound" for slot in concepts().slots]
    return [
        {name for name, is_said, one in zip(concepts().names, said, column, strict=True) if is_said and one}
        for column in has.T.tolist()
    ]


def rated_by(liked: Tensor, *, seed: int, wrong: float = 0.1) -> tuple[Tensor, Memory]:
    """Forty songs of the pool, half of them `liked` (bool) [S], and what the listener said of them: indices, memory."""
    generator = torch.Generator().manual_seed(seed)
    sides = [side.nonzero().flatten() for side in (liked, ~liked)]
    half = min(RATED // 2, *(len(side) for side in sides))
    heard = torch.cat([side[torch.randperm(len(side), generator=generator)[:half]] for side in sides])
    heard = heard[torch.randperm(len(heard), generator=generator)]
    says = liked[heard] ^ (torch.rand(len(heard), generator=generator) < wrong)
    ratings = (2 * says.long() - 1).tolist()
    return heard, Memory.of(concepts().embeddings[heard], ratings, [1] * len(heard))


def having(name: str) -> Tensor:
    return concepts().has[concepts().index(name)]


def learned(memory: Memory) -> Taste:
    return learner().learn(memory, seed=1)


def find(found: list[Belief], name: str) -> tuple[int, Belief]:
    return next((place, one) for place, one in enumerate(found) if one.name == name)


@pytest.mark.parametrize("name", ["strings", "slow", "jazz", "bright", "piano", "calm", "a minor key"])
def test_what_somebody_loves_is_among_what_is_believed_first_after_forty_ratings(name: str) -> None:
    heard, memory = rated_by(having(name), seed=3)

    found = beliefs.read(learned(memory), memory, concepts(), seed=1, said=words_of(heard))

    place, one = find(found, name)
    assert place < 6  # of nearly ninety; the page shows twelve
    assert one.lean > 0.3
    assert one.sure > 0.85


def test_the_evidence_is_songs_that_have_it_and_were_rated_so() -> None:
    heard, memory = rated_by(having("strings"), seed=3)

    found = beliefs.read(learned(memory), memory, concepts(), seed=1, said=words_of(heard))

    for one in found:
        opinion = memory.ratings[list(one.evidence)]
        assert bool((opinion == (1 if one.lean > 0 else -1)).all())
    evidence = list(find(found, "strings")[1].evidence)
    assert len(evidence) > 10
    assert bool(having("strings")[heard[evidence]].all())


def test_what_weighs_more_tells_more() -> None:
    heard, memory = rated_by(having("strings"), seed=3)
    weights = torch.ones(len(memory))
    strings = (having("strings")[heard] & (memory.ratings > 0)).nonzero().flatten()
    weights[strings[-1]] = 3.0
    memory = Memory(memory.embeddings, memory.ratings, memory.rounds, weights)

    found = beliefs.read(learned(memory), memory, concepts(), seed=1, said=words_of(heard))

    assert find(found, "strings")[1].evidence[0] == int(strings[-1])


def test_what_somebody_hates_is_believed_of_them_too() -> None:
    heard, memory = rated_by(~having("saxophone"), seed=4)

    found = beliefs.read(learned(memory), memory, concepts(), seed=1, said=words_of(heard))

    place, one = find(found, "saxophone")
    assert place < 6  # of nearly ninety; the page shows twelve
    assert one.lean < -0.3
    assert bool((memory.ratings[list(one.evidence)] == -1).all())


@pytest.mark.parametrize("name", ["jazz", "metal", "bright"])
def test_songs_without_words_are_judged_by_ear(name: str) -> None:
    _, memory = rated_by(having(name), seed=5)

    found = beliefs.read(learned(memory), memory, concepts(), seed=1)

    place, one = find(found, name)
    assert place < 6  # of nearly ninety; the page shows twelve
    assert one.evidence


def test_of_somebody_of_whom_nothing_is_known_nothing_is_sure() -> None:
    config = learner().aligner.config
    nothing = Memory.empty(layers=config.layers, dim=config.dim)

    found = beliefs.read(learned(nothing), nothing, concepts(), seed=1, said=[])

    assert all(one.sure < beliefs.SURE for one in found)
    assert all(one.evidence == () for one in found)


def test_little_is_believed_of_somebody_who_rates_at_random() -> None:
    sure = []
    for seed in range(5):
        heard = torch.randperm(len(concepts().embeddings), generator=torch.Generator().manual_seed(seed))[:RATED]
        generator = torch.Generator().manual_seed(100 + seed)
        ratings = (2 * torch.randint(2, (RATED,), generator=generator) - 1).tolist()
        memory = Memory.of(concepts().embeddings[heard], ratings, [1] * RATED)
        found = beliefs.read(learned(memory), memory, concepts(), seed=1, said=words_of(heard))
        sure.append(sum(one.sure > 0.95 for one in found))

    assert sum(sure) / len(sure) < 1.0  # of some ninety concepts


def test_what_shall_be_forgotten_is_believed_no_more_and_what_is_wanted_is() -> None:
    heard, memory = rated_by(having("strings"), seed=3)
    edits = (concepts().edit("strings", wanted=0.0, weight=12.0), concepts().edit("flute", wanted=1.0, weight=12.0))
    edited = Memory(memory.embeddings, memory.ratings, memory.rounds, memory.weights, edits)

    found = beliefs.leanings(learned(edited), concepts(), seed=1, memory=edited, said=words_of(heard))

    lean = {one.name: one.lean for one in found}
    assert abs(lean["strings"]) < 0.25
    assert lean["flute"] > 0.4


def test_a_taste_that_is_known_for_certain_leans_as_its_likeness_does() -> None:
    taste = reference_taste(learner().aligner, 7)
    likeness, _ = taste.likeness(concepts().embeddings)

    found = beliefs.leanings(taste, concepts(), seed=1)

    assert [one.name for one in found] == list(concepts().names)
    for one in found:
        place = concepts().index(one.name)
        difference = likeness[concepts().has[place]].mean() - likeness[concepts().lacks[place]].mean()
        assert one.lean * float(difference) > 0
        assert 0.5 <= one.sure <= 1.0


def test_a_belief_is_not_said_twice_as_itself_and_as_its_opposite() -> None:
    heard, memory = rated_by(having("bright"), seed=5)

    names = [one.name for one in beliefs.read(learned(memory), memory, concepts(), seed=1, said=words_of(heard))]

    assert "bright" in names
    assert "dark" not in names


def test_beliefs_of_a_seed_are_always_the_same() -> None:
    heard, memory = rated_by(having("jazz"), seed=2)
    taste = learned(memory)

    first, again = (beliefs.read(taste, memory, concepts(), seed=9, said=words_of(heard)) for _ in range(2))

    assert first == again


def test_words_of_another_number_of_songs_are_refused() -> None:
    _, memory = rated_by(having("jazz"), seed=2)

    with pytest.raises(ValueError, match=r"expected what \d+ songs say, got 1"):
        beliefs.read(EmbeddingTaste(learner().aligner, torch.zeros(32)), memory, concepts(), seed=1, said=[set()])
