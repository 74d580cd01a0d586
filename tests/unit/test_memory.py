"""Memory: ratings of any number a round."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models_store.taste.memory import Edit, Memory

LAYERS, DIM = 2, 3

rounds_of_ratings = st.lists(st.lists(st.sampled_from([-1, 0, 1]), max_size=6), min_size=1, max_size=6)


def heard(count: int, *, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, LAYERS, DIM, generator=torch.Generator().manual_seed(seed))


def memory_of(rounds: list[list[int]]) -> Memory:
    return Memory.of_rounds([(heard(len(ratings), seed=number), ratings) for number, ratings in enumerate(rounds)])


@given(rounds_of_ratings)
def test_no_rating_is_lost_or_invented_when_rounds_differ(rounds: list[list[int]]) -> None:
    memory = memory_of(rounds)

    assert memory.ratings.tolist() == [rating for ratings in rounds for rating in ratings]
    assert len(memory.embeddings) == len(memory) == sum(map(len, rounds))
    assert len(memory.liked) == sum(ratings.count(1) for ratings in rounds)
    assert len(memory.disliked) == sum(ratings.count(-1) for ratings in rounds)


@given(rounds_of_ratings, st.integers(1, 7))
def test_the_last_rounds_are_kept_whole(rounds: list[list[int]], length: int) -> None:
    kept = memory_of(rounds).last(length)

    rated = [number for number, ratings in enumerate(rounds) if ratings]
    assert sorted(set(kept.rounds.tolist())) == rated[-length:]
    assert kept.ratings.tolist() == [one for number in rated[-length:] for one in rounds[number]]


def test_each_rating_stays_with_the_sound_that_was_rated() -> None:
    memory = memory_of([[1, -1], [0], [-1, 1, 1]]).last(1)

    assert torch.equal(memory.liked, heard(3, seed=2)[1:])
    assert torch.equal(memory.disliked, heard(3, seed=2)[:1])


def test_a_memory_may_be_empty() -> None:
    memory = Memory.empty(layers=LAYERS, dim=DIM)

    assert len(memory) == len(memory.last(3)) == len(memory.liked) == 0


def test_a_rating_of_seven_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected -1, 0 or 1, got \[1, 7\]"):
        Memory.of(heard(2), [1, 7], [0, 0])


def test_a_rating_without_a_sound_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Memory.ratings: expected shape \(2,\), got \(3,\)"):
        Memory.of(heard(2), [1, 1, 1], [0, 0])


def test_a_memory_of_no_rounds_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 round"):
        memory_of([[1]]).last(0)


def test_weights_are_one_unless_said_otherwise_and_go_with_their_ratings() -> None:
    plain = memory_of([[1, -1], [1]])
    weighed = Memory.of(heard(3), [1, -1, 1], [0, 0, 1], weights=[1.0, 0.3, 4.0])

    assert plain.weights.tolist() == [1.0, 1.0, 1.0]
    assert weighed.last(1).weights.tolist() == [4.0]


def test_edits_are_kept_when_old_ratings_are_forgotten() -> None:
    edit = Edit("strings", heard(2), heard(3), 1.0, 2.0)
    known = Memory.of(heard(2), [1, -1], [0, 1], edits=[edit])

    assert known.last(1).edits == (edit,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [1.0, -1.0]}, "finite numbers >= 0, got -1"),
        ({"weights": [1.0, float("nan")]}, "finite numbers >= 0, got nan"),
        ({"weights": [1.0]}, r"Memory.weights: expected shape \(2,\), got \(1,\)"),
    ],
)
def test_weights_that_mean_nothing_are_refused(change: dict[str, list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Memory.of(heard(2), [1, -1], [0, 0], **change)


def test_songs_that_are_not_numbers_are_refused() -> None:
    broken = heard(3)
    broken[1, 0, 0] = float("nan")

    with pytest.raises(ValueError, match="NaN or infinity in 1 of 3 songs"):
        Memory.of(broken, [1, 1, -1], [0, 0, 0])
    with pytest.raises(ValueError, match=r"Edit.present: .*NaN"):
        Edit("strings", broken, heard(2), 1.0, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wanted": 1.5}, "Edit.wanted: expected -1 to 1, got 1.5"),
        ({"weight": 0.0}, "Edit.weight: expected a positive number"),
        ({"absent": torch.zeros(0, LAYERS, DIM)}, "Edit.absent: expected .* n >= 1"),
        ({"absent": torch.zeros(1, LAYERS, DIM + 1)}, "songs of one encoder"),
    ],
)
def test_an_edit_that_cannot_be_meant_is_refused(change: dict[str, object], message: str) -> None:
    whole = {"name": "strings", "present": heard(2), "absent": heard(2), "wanted": 1.0, "weight": 1.0}
    with pytest.raises(ValueError, match=message):
        Edit(**{**whole, **change})


def test_an_edit_of_another_encoders_songs_is_refused() -> None:
    other = torch.zeros(1, LAYERS, DIM + 1)
    with pytest.raises(ValueError, match="'strings': expected songs of"):
        Memory.of(heard(1), [1], [0], edits=[Edit("strings", other, other, 1.0, 1.0)])
