"""What is kept when everything is stopped, and what happens when something dies."""

from __future__ import annotations

import json
import os
import re
import signal
import tempfile
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from benchmarks import running
from tests.journeys.test_listening import player, state

SECRET = "a quiet river at dusk"


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="evomusic-journeys-") as name:
        yield Path(name)


def start_listening(page, address):
    page.goto(address)
    page.get_by_role("button", name="Start listening").click()
    page.wait_for_selector("[data-playlist-number='1'] li[data-track]")


def test_an_account_finds_everything_after_a_restart_of_everything(folder, browser, page):
    port = running.free_port()
    demo = running.start(folder, port=port)
    try:
        start_listening(page, demo.address)
        for number in (0, 1):
            page.locator("li[data-track]").nth(number).get_by_role("button", name=re.compile("^Like")).click()
        page.wait_for_function("() => fetch('/api/state/').then((a) => a.json()).then((s) => s.rated === 2)")
        titles = page.locator("li[data-track] [data-field=title]").all_inner_texts()
        page.get_by_role("link", name="Account").click()
        page.get_by_label("Username").fill("ada")
        page.get_by_label("Password", exact=True).fill(SECRET)
        page.get_by_label("Password again").fill(SECRET)
        page.locator("main form button[type=submit]").first.click()
        expect(page.get_by_role("main")).to_contain_text("ada")
    finally:
        running.stop(demo)

    demo = running.start(folder, port=port)
    try:
        page.goto(f"{demo.address}/listen/")  # the same browser is still logged in
        assert page.locator("li[data-track] [data-field=title]").all_inner_texts() == titles
        other = browser.new_context().new_page()
        other.goto(f"{demo.address}/login/")
        other.get_by_label("Username").fill("ada")
        other.get_by_label("Password", exact=True).fill(SECRET)
        other.locator("main form button[type=submit]").first.click()
        other.wait_for_selector("li[data-track]")
        assert other.locator("li[data-track] [data-field=title]").all_inner_texts() == titles
        assert state(other)["rated"] == 2
        other.get_by_role("link", name="Favourites").click()
        expect(other.locator("li[data-track]")).to_have_count(2)
        answer = other.evaluate(
            "() => fetch(document.querySelector('[data-field=download]').href).then((a) => a.status)"
        )
        assert answer == 200
        other.context.close()
    finally:
        running.stop(demo)


def test_players_that_are_killed_in_the_middle_are_replaced_and_the_playlist_comes(folder, page):
    with running.demo(folder) as demo:
        start_listening(page, demo.address)
        for number in (0, 1, 2):
            page.locator("li[data-track]").nth(number).get_by_role("button", name=re.compile("^Like")).click()
        page.get_by_role("button", name="Evolve", exact=True).click()
        page.wait_for_selector("[data-status=evolving]")
        for pid, _ in json.loads((folder / "processes.json").read_text()):
            if "gpu" in psutil.Process(pid).cmdline():
                os.kill(pid, signal.SIGKILL)
        page.wait_for_selector("[data-status=waiting]", timeout=60_000)
        expect(page.locator("[data-round]")).to_contain_text("as soon as one is back")
        page.wait_for_selector("[data-playlist-number='2'] li[data-track], [data-offer]:not([hidden])", timeout=90_000)
        assert state(page)["round"]["status"] == "done"
        assert player(page).is_visible()


def test_however_often_it_is_told_to_stop_nothing_is_left_running(folder):
    demo = running.start(folder)
    children = psutil.Process(demo.process.pid).children(recursive=True)
    assert len(children) >= 4
    for _ in range(3):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            demo.process.send_signal(number)
    demo.process.wait(30)
    _, alive = psutil.wait_procs(children, timeout=15)
    assert alive == []
