from __future__ import annotations

import math
import random
import subprocess
import sys

import pytest

from evomusic_site.environment import ROOT
from models_store.taste import prequential
from models_store.taste.prequential import Prediction


def forecasts(seed, *, playlists=40, tracks=7, told=lambda chance: chance):
    """Ratings that come true with their chance; `told` is what was said of it."""
    rng = random.Random(seed)
    rows = []
    for number in range(playlists):
        for _ in range(tracks):
            chance = rng.random()
            rows.append(Prediction(number, rng.random() < chance, told(chance), chance * 2 - 1))
    return rows


def test_nothing_predicted_is_nothing_to_judge():
    found = prequential.record([])
    assert (found.accuracy.mean, found.recent.mean, found.base_accuracy, found.scores) == (None, None, None, None)
    assert prequential.curve([]) == ()
    assert prequential.pooled([]).calibration is None


def test_true_chances_are_calibrated_and_better_than_the_base_rate():
    found = prequential.record(forecasts(1, playlists=120))
    assert found.accuracy.mean == pytest.approx(0.75, abs=0.04)
    assert found.scores.brier == pytest.approx(1 / 6, abs=0.02)
    assert found.scores.base_brier == pytest.approx(1 / 4, abs=0.01)
    assert found.scores.log_score > found.scores.base_log_score
    assert found.scores.gain.low > 0
    assert found.scores.calibration.error < 2 * found.scores.calibration.by_luck


def test_chances_that_exaggerate_are_found_out():
    bold = prequential.record(forecasts(1, playlists=120, told=lambda chance: round(chance)))
    honest = prequential.record(forecasts(1, playlists=120))
    assert bold.accuracy == honest.accuracy
    assert bold.scores.calibration.error > 0.2
    assert honest.scores.calibration.error < 0.06
    assert bold.scores.log_score < honest.scores.log_score


def test_chances_drawn_at_random_gain_nothing_on_the_base_rate():
    rng = random.Random(4)
    rows = [Prediction(number // 7, rng.random() < 0.7, rng.random(), 0.0) for number in range(420)]
    found = prequential.record(rows)
    assert found.scores.gain.high < 0
    assert found.accuracy.mean < found.base_accuracy


def test_the_scores_are_those_of_a_calculation_by_hand():
    rows = [
        Prediction(1, True, 0.8, 0.5),
        Prediction(1, False, 0.4, -0.2),
        Prediction(2, True, 0.5, 0.9),
        Prediction(2, True, 1.0, 0.9),
    ]
    found = prequential.record(rows)
    assert found.accuracy.mean == (1 + 1 + 0.5 + 1) / 4
    assert found.scores.brier == pytest.approx((0.04 + 0.16 + 0.25 + 0.0) / 4)
    assert found.scores.base_brier == pytest.approx(1 / 4)  # 1/2 before the first playlist, (1 + 1/2) / 3 after it
    assert found.scores.log_score == pytest.approx(
        (math.log2(0.8) + math.log2(0.6) + math.log2(0.5) + math.log2(0.99)) / 4
    )
    assert found.scores.base_log_score == -1.0
    assert found.scores.calibration.error == pytest.approx((0.2 + 0.4 + 0.5 + 0.0) / 4)


def test_the_base_rate_knows_only_the_playlists_before():
    rows = [Prediction(1, True, 0.5, 0.0)] * 3 + [Prediction(2, False, 0.5, 0.0)]
    found = prequential.record(rows)
    assert found.base_accuracy == (0.5 * 3 + 0.0) / 4
    assert found.scores.base_brier == pytest.approx((3 * 0.25 + (3.5 / 4) ** 2) / 4)


def test_where_no_chance_was_kept_the_sign_of_the_likeness_counts_for_the_accuracy_only():
    old = [Prediction(1, True, None, 0.3), Prediction(1, True, None, -0.3), Prediction(1, False, None, 0.0)]
    assert prequential.record(old).accuracy.mean == 0.5
    assert prequential.record(old).scores is None
    mixed = prequential.record([*old, Prediction(2, True, 0.9, -0.9)])
    assert mixed.accuracy.mean == (1 + 0 + 0.5 + 1) / 4
    assert mixed.scores.ratings == 1


def test_a_curve_ends_with_the_record_and_keeps_short():
    rows = forecasts(3, playlists=50)
    points = prequential.curve(rows)
    whole = prequential.record(rows)
    assert len(points) <= prequential.MOST_POINTS + 1
    assert [one.ratings for one in points] == sorted({one.ratings for one in points})
    last = points[-1]
    assert last.ratings == len(rows)
    assert (last.accuracy, last.low, last.high) == (whole.accuracy.mean, whole.accuracy.low, whole.accuracy.high)
    assert last.recent == whole.recent.mean
    assert last.base == whole.base_accuracy
    assert [one.ratings for one in prequential.curve(rows[:5])] == [1, 2, 3, 4, 5]


def test_the_recent_accuracy_is_that_of_the_last_playlists():
    rows = [Prediction(number, True, 0.1 if number < 10 else 0.9, 0.0) for number in range(15)]
    found = prequential.record(rows)
    assert (found.recent.mean, found.recent.count) == (1.0, prequential.RECENT)
    assert found.accuracy.mean == 5 / 15


def test_many_listeners_are_each_held_against_their_own_base_rate():
    content = [Prediction(number, True, 0.6, 0.0) for number in range(20)]
    stern = [Prediction(number, False, 0.4, 0.0) for number in range(20)]
    found = prequential.pooled([content, stern, []])
    assert found.accuracy.count == 40
    assert found.accuracy.mean == 1.0
    assert found.base_accuracy == (0.5 + 19) / 20
    assert [round(one.chance, 3) for one in found.calibration.bins] == [0.4, 0.6]
    assert found.calibration.error == pytest.approx(0.4)


def test_bins_say_what_was_promised_and_what_came():
    found = prequential.calibration([(0.05, False)] * 9 + [(0.05, True), (1.0, True)])
    low, high = found.bins
    assert (low.chance, low.liked.mean, low.liked.count) == (pytest.approx(0.05), 0.1, 10)
    assert (high.chance, high.liked.mean) == (1.0, 1.0)
    with pytest.raises(ValueError, match="at least one prediction"):
        prequential.calibration([])


def test_the_error_by_luck_is_what_true_chances_show():
    errors, promised = [], []
    for seed in range(150):
        rng = random.Random(seed)
        chances = [rng.random() for _ in range(100)]
        found = prequential.calibration([(chance, rng.random() < chance) for chance in chances])
        errors.append(found.error)
        promised.append(found.by_luck)
    assert sum(errors) / sum(promised) == pytest.approx(1.0, abs=0.08)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([Prediction(1, True, 1.2, 0.0)], "expected 0 to 1 or None, got 1.2"),
        ([Prediction(1, True, math.nan, 0.0)], "expected 0 to 1 or None, got nan"),
        ([Prediction(1, True, None, math.nan)], "got NaN"),
        ([Prediction(2, True, 0.5, 0.0), Prediction(1, True, 0.5, 0.0)], "playlists in order, got 1 after 2"),
    ],
)
def test_predictions_that_cannot_be_are_refused(rows, reason):
    for judge in (prequential.record, prequential.curve, lambda them: prequential.pooled([them])):
        with pytest.raises(ValueError, match=reason):
            judge(rows)


def test_pages_can_compute_it_without_numpy():
    program = (
        "import sys; from models_store.taste import prequential, proof; "
        "print({'torch', 'numpy', 'scipy'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
