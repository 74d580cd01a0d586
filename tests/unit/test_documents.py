"""Figures stand beside commands: those that the documents name are there."""

from __future__ import annotations

import importlib.util
import re

import pytest
from django.core.management import get_commands

from benchmarks.__main__ import ALL
from evomusic_site.environment import ROOT

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "aligner").rglob("*.md")])


def named(pattern):
    return {word for path in DOCUMENTS for word in re.findall(pattern, path.read_text())}


def test_every_benchmark_that_a_document_names_can_be_run():
    parts, modules = named(r"python -m benchmarks (\w+)"), named(r"python -m (benchmarks\.[\w.]*\w)")
    assert len(parts) > 10
    assert parts <= set(ALL)
    assert len(modules) > 5
    for module in modules:
        found = importlib.util.find_spec(module)
        assert found, module
        if found.submodule_search_locations:
            found = importlib.util.find_spec(f"{module}.__main__")
        assert found, f"{module} is a folder without __main__"
        assert "__main__" in found.name or '__name__ == "__main__"' in ROOT.joinpath(found.origin).read_text(), module


def test_every_command_that_a_document_names_is_there():
    commands = named(r"manage\.py (\w+)")
    assert len(commands) > 10
    assert commands <= set(get_commands())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path):
    linked = re.findall(r"\]\(([^)#\s]+)(?:#([^)]+))?\)", path.read_text())
    for target, place in linked:
        if target.startswith(("http://", "https://")):
            continue
        found = path.parent / target
        assert found.exists(), target
        if place:
            titles = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
            assert place in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, place
