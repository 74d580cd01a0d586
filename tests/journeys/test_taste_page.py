"""The taste page as a listener meets it: the map by keyboard, beliefs with their songs, sliders that are kept."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from playwright.sync_api import Page, expect

from benchmarks import running
from tests.journeys import accessibility
from tests.journeys.test_listening import player

pytestmark = pytest.mark.filterwarnings("ignore")


LISTENERS = 12


@pytest.fixture(scope="module")
def sessions(demo: running.Demo) -> list[str]:
    """Sessions of listeners of many rated songs, one for each test."""
    first = running.Guest(demo.address)
    first.press_start()
    first.playlist()
    code = f"from tests.journeys import taste_rows; taste_rows.make(count={LISTENERS})"
    environment = {**os.environ, "EVOMUSIC_STATE": str(demo.state_folder), "DATABASE_URL": "", "REDIS_URL": ""}
    command = [sys.executable, "manage.py", "shell", "-c", code]
    done = subprocess.run(command, cwd=running.ROOT, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def taste(page: Page, demo: running.Demo, sessions: list[str]) -> Page:
    """A listener of many rated songs in front of their taste page."""
    page.context.add_cookies([{"name": "sessionid", "value": sessions.pop(), "url": demo.address}])
    page.goto(f"{demo.address}/favourites/")
    page.get_by_role("link", name="Taste", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your taste")
    return page


def dots(page: Page):
    return page.locator("[data-map] .dot")


def slider(page: Page, name: str):
    return page.get_by_role("slider", name=name, exact=True)


def said(page: Page):
    return page.locator("[data-said-rows] li")


def silence(page: Page) -> None:
    """Nothing plays."""
    if player(page).get_by_role("button", name="Pause", exact=True).count():
        player(page).get_by_role("button", name="Pause", exact=True).click()
    expect(player(page).get_by_role("button", name="Play", exact=True)).to_be_visible()


def told(page: Page):
    return page.locator("[data-told-text]")


def test_what_is_believed_is_said_with_the_songs_that_told_it(taste):
    expect(taste.locator("[data-headline]")).to_contain_text("You like slow, calm jazz with piano.")
    belief = taste.locator(".belief", has_text="You like piano very much.")
    expect(belief.get_by_role("meter", name="How sure about piano")).to_be_visible()
    song = belief.get_by_role("button", name=re.compile("^Play .* piano")).first
    title = song.locator("span").nth(1).inner_text()
    song.click()
    expect(player(taste).get_by_role("heading")).to_have_text(title)
    expect(player(taste).get_by_role("button", name="Pause", exact=True)).to_be_visible()


def test_the_map_is_walked_and_played_by_keyboard(taste):
    expect(dots(taste)).to_have_count(48)
    first = taste.locator("[data-map] .dot[tabindex='0']")
    expect(first).to_have_count(1)
    first.focus()
    taste.keyboard.press("ArrowLeft")
    taste.keyboard.press("ArrowRight")
    taste.keyboard.press("ArrowDown")
    here = taste.locator("[data-map] .dot:focus")
    name = here.get_attribute("aria-label")
    assert re.fullmatch(r"Play .+, (liked|disliked|not rated)", name)
    title = name.removeprefix("Play ").rsplit(", ", 1)[0]
    expect(taste.locator("[data-selected]")).to_contain_text(title)
    taste.keyboard.press("Enter")
    expect(player(taste).get_by_role("heading")).to_have_text(title)
    expect(taste.locator("[data-map] .dot-playing")).to_have_attribute("aria-label", name)
    taste.keyboard.press("l")
    expect(taste.locator("[data-map] .dot:focus")).to_have_attribute("aria-label", f"Play {title}, liked")


def test_pointing_at_a_dot_names_it_and_lets_it_be_heard_without_touching_the_player(taste):
    silence(taste)
    taste.evaluate(
        """() => { window.heard = []; const play = HTMLMediaElement.prototype.play;
        HTMLMediaElement.prototype.play = function () { window.heard.push(this.src); return play.call(this); } }"""
    )
    before = player(taste).get_by_role("heading").inner_text()
    dot = dots(taste).first
    dot.hover()
    expect(taste.locator("[data-map-label]")).to_be_visible()
    taste.wait_for_function("() => window.heard.length === 1")
    assert player(taste).get_by_role("heading").inner_text() == before
    taste.get_by_label("Let me hear a few seconds").uncheck()
    dots(taste).last.hover()
    taste.wait_for_timeout(500)
    assert taste.evaluate("() => window.heard.length") == 1


def test_a_slider_is_kept_and_found_again_after_a_reload(taste):
    taste.get_by_label("Find a word").fill("strings")
    strings = slider(taste, "strings")
    strings.focus()
    taste.keyboard.press("End")
    expect(told(taste)).to_have_text("Strings: much more of it. Your next playlist follows it.")
    expect(strings).to_have_attribute("aria-valuetext", "you want much more of it")
    taste.reload()
    expect(said(taste)).to_have_count(1)
    expect(said(taste)).to_contain_text("strings: you want much more of it")
    taste.get_by_label("Find a word").fill("strings")
    expect(strings).to_have_value("1")
    taste.locator(".lean", has=strings).get_by_role("button", name="Leave it to my ratings").click()
    expect(said(taste)).to_have_count(0)
    expect(strings).to_have_attribute("aria-valuetext", re.compile("^left to your ratings"))
    taste.get_by_role("button", name="Undo this edit").click()
    expect(strings).to_have_value("1")


def test_a_belief_is_forgotten_and_brought_back(taste):
    taste.locator(".belief", has_text="You like jazz").get_by_role("button", name="Forget this").click()
    expect(told(taste)).to_have_text("What was believed of “jazz” is forgotten. Your next playlist follows it.")
    expect(said(taste)).to_have_text(re.compile("jazz: forgotten"))
    taste.get_by_role("button", name="Undo this edit").click()
    expect(told(taste)).to_have_text("Jazz is left to your ratings. Your next playlist follows it.")
    expect(said(taste)).to_have_count(0)


def test_not_this_session_says_until_when(taste):
    taste.locator(".belief", has_text="calm music").get_by_role("button", name="Not this session").click()
    expect(said(taste)).to_have_text(re.compile(r"calm: not until \d\d:\d\d"))


def test_a_song_is_forgotten_and_can_be_remembered_after_a_reload(taste):
    forget = taste.get_by_role("button", name=re.compile("^Forget what .* told")).first
    title = re.fullmatch("Forget what (.*) told", forget.get_attribute("aria-label"))[1]
    forget.click()
    expect(told(taste)).to_have_text(f"{title} teaches nothing any more. Your next playlist follows it.")
    taste.reload()
    expect(said(taste)).to_contain_text(title)
    expect(taste.locator("[data-map] .dot-forgotten")).to_have_count(1)
    said(taste).get_by_role("button", name="Take back").click()
    expect(taste.locator("[data-map] .dot-forgotten")).to_have_count(0)


def test_after_an_edit_the_taste_is_read_again_and_the_page_follows_without_a_reload(taste):
    taste.evaluate("() => { window.sameDocument = true }")
    made = "() => fetch('/api/taste/').then((answer) => answer.json()).then((content) => content.made_at)"
    before = taste.evaluate(made)
    taste.locator(".belief", has_text="You like jazz").get_by_role("button", name="Forget this").click()
    expect(taste.locator("[data-reading]")).to_be_visible()
    expect(taste.locator("[data-reading]")).to_be_hidden()
    assert taste.evaluate(made) != before
    assert taste.evaluate("() => window.sameDocument") is True


def test_the_songs_of_the_next_playlist_appear_on_the_map_without_a_reload(taste):
    expect(dots(taste)).to_have_count(48)
    taste.keyboard.press("e")
    expect(taste.locator("[data-map] .dot-new").first).to_be_visible(timeout=90_000)
    assert dots(taste).count() > 48


def test_an_edit_that_cannot_be_sent_is_told(taste):
    taste.context.set_offline(True)
    taste.locator(".belief").first.get_by_role("button", name="Forget this").click()
    expect(taste.get_by_role("alert")).to_contain_text("That could not be kept.")
    expect(said(taste)).to_have_count(0)


def test_the_page_fits_and_breaks_no_rule_of_accessibility(taste, demo):
    taste.locator(".belief").first.get_by_role("button", name="Not this session").click()
    expect(told(taste)).to_be_visible()
    found = {}
    for width, scheme in ((360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")):
        taste.set_viewport_size({"width": width, "height": 800})
        taste.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        taste.goto(f"{demo.address}/taste/")
        taste.get_by_text("The same songs as a list").click()
        assert taste.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), (width, scheme)
        if broken := accessibility.broken(taste):
            found[width, scheme] = broken
    assert found == {}
