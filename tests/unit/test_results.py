from __future__ import annotations

import csv
import io

import pytest

from laboratory import results


def read(text):
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2 oboes", "@SUM(A1)", "\t=1"])
def test_a_text_that_a_spreadsheet_would_compute_is_quoted(text):
    assert read(results.as_csv([{"prompt": text}], ["prompt"])) == [["prompt"], [f"'{text}"]]


def test_numbers_and_other_texts_stay_as_they_are():
    row = {"fitness": -0.25, "seed": 3, "elite": True, "prompt": 'calm, "warm" jazz', "parents": ""}
    table = read(results.as_csv([row], list(row)))
    assert table == [list(row), ["-0.25", "3", "True", 'calm, "warm" jazz', ""]]


def test_a_number_reads_again_to_the_last_digit():
    value = -0.009639843367040157
    assert float(read(results.as_csv([{"best": value}], ["best"]))[1][0]) == value


def test_a_table_of_nothing_has_its_heading():
    assert results.as_csv([], results.HISTORY) == ",".join(results.HISTORY) + "\n"
    assert results.HISTORY[:7] == ("round", "generation", "best", "mean", "median", "worst", "seconds")
