"""The rules of accessibility that a machine can check, by axe-core in the browser."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from evomusic_site.environment import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


def broken(page: Page) -> list[tuple[str, list[Any]]]:
    """The rules that the page breaks, as it is now, each with where; none for a good one."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("() => axe.run()")["violations"]
    return [(one["id"], node["target"]) for one in found for node in one["nodes"]]
