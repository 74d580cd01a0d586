"""The laboratory's reads: what they say, and in how many queries."""

from __future__ import annotations

import random

import pytest

from evolution.models import Candidate, Round, Run
from laboratory import ancestry, comparisons, outcomes, population
from tests.integration import small_runs

pytestmark = pytest.mark.django_db


def test_the_index_counts_runs_by_status_and_averages_their_best_fitness(django_assert_num_queries):
    first = small_runs.make(name="one", seed=1)
    second = small_runs.make(name="one", seed=2, status=Run.Status.DONE)
    small_runs.make(name="two", rounds=0)
    with django_assert_num_queries(2):
        two, one = outcomes.experiments()
    best = [outcomes.state(listener.run)["totals"]["best"] for listener in (first, second)]
    assert one["runs"] == {"running": 1, "done": 1}
    assert one["total"] == 2
    assert one["best"] == pytest.approx(sum(best) / 2)
    assert (one["mode"], one["fitness"]) == ("prompt GA", "user")
    assert two["best"] is None


def test_the_index_finds_by_name_note_and_author():
    listener = small_runs.make(name="quartets", rounds=0)
    small_runs.make(name="other", rounds=0)
    listener.run.experiment.note = "Larger elites"
    listener.run.experiment.author = "ada"
    listener.run.experiment.save()
    for search in ("QUART", "larger", "ada"):
        assert [row["experiment"].name for row in outcomes.experiments(search=search)] == ["quartets"]


def test_a_run_s_state_takes_the_same_queries_however_many_generations_it_has(django_assert_num_queries):
    small, large = small_runs.make(name="one"), small_runs.make(name="two", rounds=3, generations=6, seed=1)
    for listener in (small, large):
        run = outcomes.run(listener.run_id)
        with django_assert_num_queries(5):
            outcomes.state(run)


def test_generations_come_in_order_over_the_rounds_with_their_points():
    listener = small_runs.make(rounds=2, generations=3, population=6)
    generations = outcomes.generations(outcomes.run(listener.run_id))
    assert [one["index"] for one in generations] == [1, 2, 3, 4, 5, 6]
    assert [(one["round"], one["number"]) for one in generations] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    last = generations[-1]
    assert last["fitness"]["best"] == pytest.approx(max(last["points"]["fitness"]), abs=1e-4)
    assert last["likeness"]["mean"] == pytest.approx(sum(last["points"]["likeness"]) / 6, abs=1e-4)
    assert last["artefacts"]["best"] == min(last["points"]["artefacts"])
    likeness = sorted(last["points"]["likeness"])
    assert last["likeness"]["median"] == pytest.approx((likeness[2] + likeness[3]) / 2, abs=1e-4)
    assert last["points"]["elites"] == [0]


def test_one_generation_is_read_as_it_stands_among_all():
    listener = small_runs.make()
    run = outcomes.run(listener.run_id)
    every = outcomes.generations(run)
    assert outcomes.generations(run, only=every[3]["id"]) == [every[3]]


def test_only_the_newest_points_are_given_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(population, "MOST_POINTS", 12)
    listener = small_runs.make(rounds=1, generations=4, population=6)
    points = [one["points"] for one in outcomes.generations(outcomes.run(listener.run_id))]
    assert points[:2] == [None, None]
    assert [len(one["fitness"]) for one in points[2:]] == [6, 6]


def test_progress_says_how_far_the_run_is_and_how_long_it_takes():
    listener = small_runs.make(rounds=2, generations=3, rounds_planned=3)
    progress = outcomes.pulse(outcomes.run(listener.run_id))["progress"]
    assert (progress["round"], progress["rounds"], progress["done"], progress["planned"]) == (2, 3, 6, 9)
    # 3 generations of 2 s are left, and one round's second beside them
    assert progress["seconds_left"] == pytest.approx(3 * 2.0 + 1.0, abs=0.1)


def test_a_run_that_rests_promises_no_time():
    listener = small_runs.make(status=Run.Status.PAUSED)
    assert outcomes.pulse(outcomes.run(listener.run_id))["progress"]["seconds_left"] is None


def test_a_blind_first_round_is_planned_with_one_generation():
    listener = small_runs.make(rounds=0, generations=4, rounds_planned=3)
    run = listener.run
    assert outcomes.pulse(outcomes.run(run.pk))["progress"]["planned"] == 12
    run.experiment.configuration["evolution"]["fitness"]["mode"] = "dynamic"
    run.experiment.save()
    assert outcomes.pulse(outcomes.run(run.pk))["progress"]["planned"] == 9


def test_a_run_without_an_end_has_no_plan():
    progress = outcomes.pulse(outcomes.run(small_runs.make(rounds_planned=None).run_id))["progress"]
    assert (progress["rounds"], progress["planned"], progress["seconds_left"]) == (None, None, None)


def test_a_run_without_an_end_tells_when_its_round_is_over():
    listener = small_runs.make(rounds=1, generations=3, rounds_planned=None)
    round_ = small_runs.make_round(listener, 2, generations=3, status=Round.Status.EVOLVING)
    small_runs.add_generation(round_, 1, population=4, luck=random.Random(0))
    progress = outcomes.pulse(outcomes.run(listener.run_id))["progress"]
    assert progress["seconds_left"] == pytest.approx(2 * 2.0 + 1.0, abs=0.1)


def test_each_round_tells_its_taste_and_what_was_liked(make_playlist):
    listener = small_runs.make(rounds=1)
    small_runs.rate(make_playlist(listener, number=2, tracks=4), [1, 1, -1])
    first, second = outcomes.pulse(outcomes.run(listener.run_id))["rounds"]
    assert (first["spearman"], first["auc"], first["loss"], first["tracks"]) == (0.1, 0.55, 1.0, 0)
    assert (second["liked"], second["disliked"], second["tracks"]) == (2, 1, 4)
    assert second["spearman"] is None


def test_a_table_s_page_is_sorted_and_knows_its_neighbours():
    run = small_runs.make(population=30).run
    middle = outcomes.generations(run)[2]["id"]
    chosen = population.generation(run, middle)
    page = population.page(chosen, order="-fitness", number="2")
    fitness = [one.fitness for one in page]
    assert len(fitness) == 30 - population.PER_PAGE
    assert fitness == sorted(fitness, reverse=True)
    assert population.neighbours(run, chosen)["index"] == 3
    with pytest.raises(ValueError, match="order: expected one of position"):
        population.page(chosen, order="genome", number=None)


def newest(run: Run, position: int) -> Candidate:
    chosen = Candidate.objects.get(generation=population.generation(run, None), position=position)
    return population.candidate(chosen.pk)


def test_a_family_tree_shows_an_elite_where_it_was_born(django_assert_num_queries):
    run = small_runs.make(rounds=1, generations=4).run
    last = newest(run, 2)
    with django_assert_num_queries(3):  # generations, candidates, words
        tree = ancestry.ancestors(last)
    child = tree[0]
    assert (child.index, child.position, child.operators) == (4, 2, ["crossover", "mutation"])
    parents = {one.id: one for one in tree}
    assert sorted((parents[one].index, parents[one].position) for one in child.parents) == [(3, 1), (3, 3)]
    # 3 in generation 3 is a child of 0 in generation 2, which was kept from 1 in generation 1
    kept = next(one for one in tree if one.kept)
    assert (kept.index, kept.position, kept.kept) == (1, 1, 1)


def test_a_family_tree_crosses_rounds():
    run = small_runs.make(rounds=2, generations=1).run
    tree = ancestry.ancestors(newest(run, 2))
    assert [one.index for one in tree] == [2, 1, 1]


def test_a_family_tree_ends_somewhere_and_says_where_it_goes_on():
    run = small_runs.make(rounds=1, generations=20).run
    youngest = newest(run, 3)
    Candidate.objects.filter(generation__round__run=run).update(elite=False)
    tree = ancestry.ancestors(youngest, depth=2)
    assert len(tree) == 3
    assert [one.further for one in tree] == [False, False, False]  # 3 <- 0 <- 1, and 1 was made from nothing
    Candidate.objects.filter(generation__round__run=run, position=1).update(parents=[1])
    tree = ancestry.ancestors(youngest, depth=2)
    assert [one.further for one in tree] == [False, False, True]


def test_a_long_line_of_elites_is_read_in_few_queries(django_assert_max_num_queries):
    run = small_runs.make(rounds=1, generations=40, population=2).run
    Candidate.objects.filter(generation__round__run=run, generation__number__gt=1).update(elite=True, parents=[0])
    youngest = newest(run, 1)
    with django_assert_max_num_queries(2 + 3):
        (only,) = ancestry.ancestors(youngest)
    assert (only.index, only.position, only.kept) == (1, 0, 39)


def test_a_picture_has_everybody_inside_it_and_children_above_their_parents():
    run = small_runs.make(rounds=1, generations=6).run
    tree = ancestry.ancestors(newest(run, 2))
    picture = ancestry.picture(tree)
    places = {place.ancestor.id: place for place in picture.places}
    assert set(places) == {one.id for one in tree}
    assert all(0 < place.x < picture.width and 0 < place.y < picture.height for place in places.values())
    assert all(places[one.id].y < places[parent].y for one in tree for parent in one.parents)
    assert len({(place.x, place.y) for place in places.values()}) == len(places)


def test_runs_are_compared_by_their_figures_and_experiments_by_the_means_of_theirs(django_assert_num_queries):
    first, second = small_runs.make(name="one", seed=1), small_runs.make(name="one", seed=2, generations=3)
    with django_assert_num_queries(4):
        compared = comparisons.compare(run_ids=[first.run_id, second.run_id], names=["one"])
    whole, one, two = compared.rows
    curves = compared.curves
    assert whole["label"] == "one"
    assert whole["runs"] == 2
    assert whole["best"] == pytest.approx((one["best"] + two["best"]) / 2, abs=1e-4)
    assert one["final_median"] == curves[1]["median"][-1]
    assert one["evaluations"] == 6 * 6 - 5  # the elites of all but the first generation
    assert (one["player_seconds"], one["spearman"], one["auc"]) == (9.0, 0.2, 0.6)
    assert curves[0]["best"][0] == pytest.approx((curves[1]["best"][0] + curves[2]["best"][0]) / 2, abs=1e-4)


def test_a_mean_curve_goes_on_with_the_runs_that_go_on():
    small_runs.make(name="one", rounds=1, seed=1)
    longer = small_runs.make(name="one", rounds=2, seed=2)
    (curve,) = comparisons.compare(names=["one"]).curves
    assert len(curve["best"]) == 6
    (alone,) = comparisons.compare(run_ids=[longer.run_id]).curves
    assert curve["best"][3:] == alone["best"][3:]


def test_what_has_no_figures_stands_below_in_any_order():
    begun, empty = small_runs.make(name="one"), small_runs.make(name="two", rounds=0)
    found = comparisons.compare(run_ids=[empty.run_id, begun.run_id, 10**9])
    assert found.curves[0]["best"] == []
    for order in ("best", "-best"):
        assert [row["label"] for row in comparisons.ordered(found.rows, order)][-1] == str(empty.run)
    with pytest.raises(ValueError, match="order: expected one of label"):
        comparisons.ordered(found.rows, "url")


def test_an_experiment_s_runs_can_stand_apart_and_what_is_too_much_is_counted(monkeypatch):
    made = [small_runs.make(name="one", rounds=1, seed=seed) for seed in range(3)]
    apart = comparisons.compare(run_ids=[made[0].run_id], names=["one"], each=True)
    assert [row["label"] for row in apart.rows] == [str(listener.run) for listener in made]
    monkeypatch.setattr(comparisons, "MOST_LINES", 2)
    fewer = comparisons.compare(names=["one"], each=True)
    assert (len(fewer.rows), len(fewer.curves), fewer.left_out) == (2, 2, 1)


def test_a_generation_that_comes_later_stands_at_the_end():
    listener = small_runs.make(rounds=1, generations=2)
    round_ = small_runs.make_round(listener, 2, generations=2, status=Round.Status.EVOLVING)
    added = small_runs.add_generation(round_, 1, population=4, luck=random.Random(0))
    (only,) = outcomes.generations(listener.run, only=added.pk)
    assert (only["index"], only["round"], only["number"]) == (3, 2, 1)
