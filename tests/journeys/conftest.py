"""The product as a person meets it: `make demo`'s processes and a real Chromium."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks import running
from scripts import find_browser

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def demo() -> Iterator[running.Demo]:
    with tempfile.TemporaryDirectory(prefix="evomusic-journeys-") as folder, running.demo(Path(folder)) as started:
        yield started


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_browser.find()
    assert path, "no Chromium: `make browser` brings one"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page whose scripts must not fail."""
    with _opened(context) as opened:
        yield opened


@pytest.fixture
def stranger(browser: Browser) -> Iterator[Page]:
    """A page in another browser, of somebody who was never here; its scripts must not fail."""
    other = browser.new_context(viewport={"width": 360, "height": 740})
    other.set_default_timeout(60_000)
    with _opened(other) as opened:
        yield opened
        other.close()


@contextmanager
def _opened(context: BrowserContext) -> Iterator[Page]:
    opened = context.new_page()
    failures: list[str] = []
    opened.on("pageerror", lambda error: failures.append(str(error)))
    yield opened
    assert failures == []


@pytest.fixture
def guest(page: Page, demo: running.Demo) -> Page:
    """A new guest in front of the first playlist."""
    page.goto(demo.address)
    page.get_by_role("button", name="Start listening").click()
    page.wait_for_selector("[data-playlist-number='1'] li[data-track]")
    return page
