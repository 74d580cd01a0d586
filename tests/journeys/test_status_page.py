"""The status page as an operator has it open: it keeps up to date, can be paused, and says when nobody answers."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from playwright.sync_api import Page, expect

from benchmarks import running

pytestmark = pytest.mark.filterwarnings("ignore")

PASSWORD = "a bell at 220 hertz"
SOON = 30_000  # milliseconds; it asks every five seconds


@pytest.fixture
def status(page: Page, demo: running.Demo) -> Page:
    environment = {
        **os.environ,
        "EVOMUSIC_STATE": str(demo.state_folder),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    command = [sys.executable, "manage.py", "createsuperuser", "--noinput", "--username=eve", "--email=eve@example.org"]
    subprocess.run(command, cwd=running.ROOT, env=environment, check=True, capture_output=True)
    page.goto(f"{demo.address}/laboratory/status/")
    page.get_by_label("Username").fill("eve")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    expect(page.get_by_role("heading", name="Status", exact=True)).to_be_visible()
    return page


def test_the_page_keeps_itself_up_to_date_until_it_is_paused_and_says_when_nobody_answers(status: Page):
    asked = status.locator("[data-asked]")
    first = asked.inner_text()
    expect(asked).not_to_have_text(first, timeout=SOON)
    expect(status.locator("[data-standing]")).to_contain_text("Players")

    status.set_viewport_size({"width": 360, "height": 800})
    assert status.evaluate("document.documentElement.scrollWidth") == 360

    status.context.set_offline(True)
    expect(status.locator("[data-away]")).to_contain_text("The web process does not answer.", timeout=SOON)
    expect(status.get_by_role("status")).to_contain_text("does not answer")
    status.context.set_offline(False)
    expect(status.locator("[data-away]")).to_be_hidden(timeout=SOON)

    status.get_by_role("button", name="Pause").click()
    shown = asked.inner_text()
    status.wait_for_timeout(6000)
    assert asked.inner_text() == shown
    status.get_by_role("button", name="Pause").click()
    expect(asked).not_to_have_text(shown, timeout=SOON)
    if folder := os.environ.get("EVOMUSIC_SCREENSHOTS"):
        status.screenshot(path=f"{folder}/360.png", full_page=True)
        status.set_viewport_size({"width": 1440, "height": 900})
        status.screenshot(path=f"{folder}/1440.png", full_page=True)
        status.emulate_media(color_scheme="dark")
        status.screenshot(path=f"{folder}/dark.png", full_page=True)
