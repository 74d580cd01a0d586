"""The audit of what we install: a finding fails, silence does not pass for one that is clean."""

from __future__ import annotations

import json

import pytest

from scripts import audit
from scripts.audit import Verdict

HOLE = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
CLEAN = {"name": "new", "version": "2.0", "vulns": []}
SKIPPED = {"name": "ours", "skip_reason": "editable"}


def test_what_pip_audit_finds_is_told_with_the_version_that_mends_it():
    told = audit.read_pip(json.dumps({"dependencies": [CLEAN, HOLE, SKIPPED]}), "")
    assert told == Verdict(("old 1.0: PYSEC-1, mended in 1.1",))
    assert audit.read_pip(json.dumps({"dependencies": [CLEAN, SKIPPED]}), "") == Verdict()


@pytest.mark.parametrize("text", ["", "not JSON", "[]", "{}"])
def test_no_answer_of_pip_audit_is_not_a_clean_one(text):
    told = audit.read_pip(text, "some\nConnectionError: no route\n")
    assert told == Verdict(unreachable="ConnectionError: no route")


def test_npm_s_answer_is_read_by_severity():
    holes = {name: {"name": name, "severity": name, "range": "<2"} for name in ("low", "high")}
    assert audit.read_npm(json.dumps({"vulnerabilities": holes}), "") == Verdict(("high (high): <2",))
    assert audit.read_npm(json.dumps({"vulnerabilities": {}}), "") == Verdict()
    assert audit.read_npm(json.dumps({"message": "not found"}), "").unreachable == "not found"
    assert audit.read_npm("", "").unreachable == "npm gave no answer"


@pytest.mark.parametrize(
    ("python", "browser", "ends_with", "says"),
    [
        (Verdict(), Verdict(), 0, "no known holes"),
        (Verdict(unreachable="no route"), Verdict(), 0, "NOT AUDITED"),
        (Verdict(("old 1.0",)), Verdict(unreachable="no route"), 1, "1 known holes"),
        (Verdict(), Verdict(("high",)), 1, "high"),
    ],
)
def test_only_a_finding_fails(monkeypatch, capsys, python, browser, ends_with, says):
    monkeypatch.setattr(audit, "python_packages", lambda: python)
    monkeypatch.setattr(audit, "browser_packages", lambda: browser)
    assert audit.main() == ends_with
    assert says in capsys.readouterr().out
