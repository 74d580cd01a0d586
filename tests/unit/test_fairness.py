"""Whose music is made next: arithmetic, and a simulation of players who follow it."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.queue import Request, simulate
from evolution import fairness
from evolution.fairness import Waiting

BIG = 0


def chunk(name: str, flow: int | None, *, size: int = 4, asked: float = 0.0, weight: float = 1.0, alike: str = "a"):
    return Waiting(name, flow, size, float(size), weight, asked, alike)


def names(chunks: list[Waiting]) -> list[str]:
    return [one.name for one in chunks]


def test_who_had_least_is_first_and_of_equals_who_asked_first() -> None:
    waiting = [chunk("a", 1, asked=2.0), chunk("b", 2, asked=1.0), chunk("c", 3, asked=0.0)]
    assert names(fairness.order(waiting, {3: 5.0})) == ["b", "a", "c"]


def test_what_is_about_to_be_served_counts_at_once() -> None:
    waiting = [chunk(f"big {number}", BIG, asked=number) for number in range(3)] + [chunk("guest", 1, asked=9.0)]
    assert names(fairness.order(waiting, {})) == ["big 0", "guest", "big 1", "big 2"]


def test_who_has_little_left_to_hear_is_served_four_times_as_much() -> None:
    assert [fairness.weight(seconds) for seconds in (0.0, 30.0, 60.0, 900.0)] == [4.0, 2.5, 1.0, 1.0]
    waiting = [chunk(f"hungry {number}", 1, weight=4.0, asked=number) for number in range(8)]
    waiting += [chunk(f"fed {number}", 2, weight=1.0, asked=number) for number in range(8)]
    first = names(fairness.order(waiting, {1: 4.0, 2: 4.0}))[:5]
    assert sum(name.startswith("hungry") for name in first) == 4


def test_what_was_had_counts_half_after_the_half_life() -> None:
    assert fairness.faded(8.0, age=0.0) == 8.0
    assert fairness.faded(8.0, age=fairness.HALF_LIFE) == pytest.approx(4.0)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(1, 64), st.floats(1.0, 4.0), st.integers(0, 100)),
        max_size=40,
    ),
    st.dictionaries(st.integers(0, 5), st.floats(0.0, 1000.0)),
)
def test_every_chunk_is_in_the_order_once_and_those_of_a_flow_as_they_were_asked(rows, had) -> None:
    waiting = [
        Waiting(f"{number:03}", flow, size, 0.1 * size, weight, float(asked))
        for number, (flow, size, weight, asked) in enumerate(rows)
    ]
    ordered = fairness.order(waiting, had)
    assert sorted(names(ordered)) == names(waiting)
    for flow in {one.flow for one in waiting}:
        mine = [(one.asked, one.name) for one in ordered if one.flow == flow]
        assert mine == sorted(mine)


def test_only_what_is_alike_is_played_together_and_only_up_to_the_limit() -> None:
    ordered = [chunk("a", 1), chunk("b", 2, alike="other"), chunk("c", 3), chunk("d", 4), chunk("e", 5, size=1)]
    assert names(fairness.together(ordered, most=8)) == ["a", "c"]
    assert names(fairness.together(ordered, most=100)) == ["a", "c", "d", "e"]
    assert names(fairness.together([chunk("large", 1, size=64), *ordered], most=8)) == ["large"]
    assert fairness.together([], most=8) == []


def test_a_place_is_told_by_who_is_served_before() -> None:
    ordered = fairness.order(
        [chunk("a", 1), chunk("b", 2, asked=1), chunk("c", 3, asked=2), chunk("d", 1, asked=3)], {}
    )
    assert [fairness.before(ordered, flow) for flow in (1, 2, 3, 4)] == [0, 1, 2, None]


def test_a_wait_is_until_the_last_of_ones_own_is_played() -> None:
    ordered = [chunk("a", 1), chunk("b", 2), chunk("c", 1)]
    assert fairness.finish(ordered, 1, busy=[0.0]) == 12.0
    assert fairness.finish(ordered, 1, busy=[0.0, 0.0]) == 8.0
    assert fairness.finish(ordered, 2, busy=[1.0]) == 9.0
    assert fairness.finish(ordered, 3, busy=[0.0]) is None
    with pytest.raises(ValueError, match="at least one player"):
        fairness.finish(ordered, 1, busy=[])


def test_no_chunk_keeps_others_waiting_for_longer_than_it_may() -> None:
    options = {"players": 1, "per_player": 2, "longest": 4.0, "most": 64}
    assert fairness.cut(500, seconds_each=None, **options) == 64
    assert fairness.cut(500, seconds_each=0.25, **options) == 16
    assert fairness.cut(500, seconds_each=9.0, **options) == 1
    assert fairness.cut(24, seconds_each=0.1, **options) == 12
    with pytest.raises(ValueError, match="expected a size"):
        fairness.cut(0, seconds_each=None, **options)


def guests(count: int = 20) -> list[Request]:
    return [Request(flow=1 + number, at=1.0 + 0.05 * number, candidates=24) for number in range(count)]


def waits(finished: dict[int, float], asked: list[Request]) -> list[float]:
    return [finished[one.flow] - one.at for one in asked]


def test_twenty_guests_wait_beside_a_population_of_500_about_as_long_as_without_it_and_it_still_gets_on() -> None:
    asked = guests()
    alone = simulate(asked, players=2, seconds_each=0.1)
    big = Request(flow=BIG, at=0.0, candidates=500, unheard=fairness.ENOUGH_UNHEARD)
    beside = simulate([big, *asked], players=2, seconds_each=0.1)
    before, after = waits(alone, asked), waits(beside, asked)
    assert statistics.mean(after) < 1.15 * statistics.mean(before)
    assert max(after) < max(before) + 5.0  # the chunk that was begun before they came, and one turn
    work = (500 + 20 * 24) * 0.1
    assert beside[BIG] < work / 2 + 5.0  # it is done when all is: no player was idle for it


def test_in_a_first_come_queue_the_same_guests_would_wait_for_the_whole_population() -> None:
    asked = guests()
    big = Request(flow=BIG, at=0.0, candidates=500, unheard=fairness.ENOUGH_UNHEARD)
    queued = simulate([big, *asked], players=2, seconds_each=0.1, fair=False)
    fair = simulate([big, *asked], players=2, seconds_each=0.1)
    assert statistics.mean(waits(queued, asked)) > 1.5 * statistics.mean(waits(fair, asked))


def test_a_large_population_gets_on_while_guests_never_stop_asking() -> None:
    endless = [Request(flow=1 + number % 20, at=30.0 * (number // 20), candidates=24) for number in range(20 * 20)]
    big = Request(flow=BIG, at=0.0, candidates=500, unheard=fairness.ENOUGH_UNHEARD)
    finished = simulate([big, *endless], players=2, seconds_each=0.1)
    spare = 2.0 - 20 * 24 * 0.1 / 30.0  # player seconds in a second that the guests leave
    assert finished[BIG] < 1.5 * 500 * 0.1 / spare < max(one.at for one in endless)
