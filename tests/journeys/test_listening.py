from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys import accessibility

pytestmark = pytest.mark.filterwarnings("ignore")


def player(page: Page):
    return page.get_by_role("region", name="Player")


def elapsed(page: Page) -> float:
    return float(player(page).get_by_role("slider", name="Position in the track").get_attribute("aria-valuenow") or 0)


def state(page: Page) -> dict:
    return json.loads(page.evaluate("() => fetch('/api/state/').then((answer) => answer.text())"))


def rating(page: Page, number: int) -> str | None:
    return page.locator("li[data-track]").nth(number).get_attribute("data-rating")


def play(page: Page) -> None:
    """Music plays: pressed when it does not begin by itself."""
    button = player(page).get_by_role("button", name="Play", exact=True)
    if button.count():
        button.click()
    expect(player(page).get_by_role("button", name="Pause", exact=True)).to_be_visible()


def wait_until_heard(page: Page, seconds: float) -> None:
    page.wait_for_function(
        "(least) => Number(document.querySelector('[data-waveform]').getAttribute('aria-valuenow')) >= least",
        arg=seconds,
    )


def test_a_guest_hears_rates_evolves_and_gets_the_next_playlist_without_a_reload(guest):
    guest.evaluate("() => { window.sameDocument = true }")
    expect(guest.locator("li[data-track]")).to_have_count(8)
    play(guest)
    wait_until_heard(guest, 1)
    player(guest).get_by_role("button", name="Like", exact=True).click()
    expect(guest.locator("li[data-track]").nth(0)).to_have_attribute("data-rating", "1")
    guest.keyboard.press("n")
    guest.keyboard.press("d")
    expect(guest.locator("li[data-track]").nth(1)).to_have_attribute("data-rating", "-1")
    guest.keyboard.press("u")
    expect(guest.locator("li[data-track]").nth(1)).not_to_have_attribute("data-rating", "-1")
    guest.keyboard.press("l")
    expect(guest.locator("li[data-track]").nth(1)).to_have_attribute("data-rating", "1")
    guest.keyboard.press("Space")
    guest.get_by_role("button", name="Evolve", exact=True).click()
    guest.wait_for_selector("[data-round]:not([data-status=idle])")
    guest.wait_for_selector("[data-playlist-number='2'] li[data-track]", timeout=60_000)
    assert guest.evaluate("() => window.sameDocument") is True
    assert state(guest)["rated"] == 0


def test_enough_ratings_bring_the_next_playlist_by_itself(guest):
    for number in range(6):
        guest.locator("li[data-track]").nth(number).get_by_role("button", name="Dislike").click()
    play_now = guest.get_by_role("button", name="Play it now")
    guest.wait_for_function(
        """() => document.querySelector("[data-playlist-number='2'] li[data-track]")
              || !document.querySelector("[data-offer]").hidden""",
        timeout=60_000,
    )
    if play_now.is_visible():
        play_now.click()
    guest.wait_for_selector("[data-playlist-number='2'] li[data-track]")


def test_the_player_plays_on_while_pages_change(guest):
    play(guest)
    wait_until_heard(guest, 1)
    title = player(guest).get_by_role("heading").inner_text()
    guest.get_by_role("link", name="Favourites").click()
    expect(guest.get_by_role("heading", level=1)).to_contain_text("Favourites")
    before = elapsed(guest)
    guest.get_by_role("link", name="Playlists").click()
    wait_until_heard(guest, before + 1)
    assert player(guest).get_by_role("heading").inner_text() == title
    expect(player(guest).get_by_role("button", name="Pause", exact=True)).to_be_visible()


def test_seeking_by_click_and_by_key(guest):
    play(guest)
    slider = player(guest).get_by_role("slider", name="Position in the track")
    box = slider.bounding_box()
    guest.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    wait_until_heard(guest, 5.5)
    before = elapsed(guest)
    guest.keyboard.press("ArrowLeft")
    guest.wait_for_function(
        "(before) => Number(document.querySelector('[data-waveform]').getAttribute('aria-valuenow')) < before",
        arg=before,
    )


def test_the_next_track_follows_by_itself(guest):
    play(guest)
    first = player(guest).get_by_role("heading").inner_text()
    slider = player(guest).get_by_role("slider", name="Position in the track")
    box = slider.bounding_box()
    guest.mouse.click(box["x"] + box["width"] * 0.93, box["y"] + box["height"] / 2)
    expect(player(guest).get_by_role("heading")).not_to_have_text(first, timeout=20_000)
    expect(player(guest).get_by_role("button", name="Pause", exact=True)).to_be_visible()


def test_ratings_made_offline_are_kept_and_sent_once(guest):
    guest.context.set_offline(True)
    for number in (0, 1):
        guest.locator("li[data-track]").nth(number).get_by_role("button", name=re.compile("^Like")).click()
    expect(player(guest)).to_contain_text("2 ratings waiting")
    assert rating(guest, 0) == "1"
    guest.context.set_offline(False)
    expect(guest.locator("[data-pending]")).to_be_hidden()
    assert state(guest)["rated"] == 2
    guest.reload()
    guest.wait_for_selector("li[data-track]")
    assert [rating(guest, number) for number in (0, 1)] == ["1", "1"]
    assert state(guest)["rated"] == 2


def test_offline_ratings_outlive_a_closed_page(guest, demo):
    guest.context.set_offline(True)
    guest.locator("li[data-track]").nth(2).get_by_role("button", name="Dislike").click()
    expect(player(guest)).to_contain_text("1 rating waiting")
    other = guest.context.new_page()
    guest.close()
    other.context.set_offline(False)
    other.goto(f"{demo.address}/listen/")
    other.wait_for_function("() => fetch('/api/state/').then((a) => a.json()).then((s) => s.rated === 1)")


def test_everything_by_keyboard_alone(page, demo):
    page.goto(demo.address)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.textContent.trim()") == "Start listening":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-playlist-number='1'] li[data-track]")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    if player(page).get_by_role("button", name="Play", exact=True).count():
        page.keyboard.press("Space")
    wait_until_heard(page, 1)
    page.keyboard.press("l")
    page.keyboard.press("n")
    page.keyboard.press("d")
    page.wait_for_function("() => fetch('/api/state/').then((a) => a.json()).then((s) => s.rated === 2)")
    page.keyboard.press("e")
    page.wait_for_selector("[data-round]:not([data-status=idle])")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_sticks_out_at_any_width(guest, width, scheme):
    guest.set_viewport_size({"width": width, "height": 800})
    guest.emulate_media(color_scheme=scheme)
    for address in ("/listen/", "/playlists/", "/favourites/", "/taste/", "/duets/", "/account/"):
        guest.goto(guest.url.split("/listen")[0].split("/playlists")[0].split("/favourites")[0] + address)
        assert guest.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), address


def test_no_page_breaks_the_rules_of_accessibility(guest, demo):
    found = {}
    for scheme in ("light", "dark"):
        guest.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for address in ("/listen/", "/playlists/", "/favourites/", "/taste/", "/duets/", "/account/"):
            guest.goto(demo.address + address)
            if broken := accessibility.broken(guest):
                found[scheme, address] = broken
    assert found == {}


def test_somebody_elses_things_are_not_found(guest, browser, demo):
    address = guest.evaluate("() => fetch('/api/state/').then((a) => a.json()).then((s) => s.playlist)")
    other = browser.new_context()
    stranger = other.new_page()
    stranger.goto(demo.address)
    stranger.get_by_role("button", name="Start listening").click()
    stranger.wait_for_selector("[data-playlist-number='1'] li[data-track]")
    answer = stranger.goto(f"{demo.address}/playlists/{address}/")
    assert answer.status == 404
    expect(stranger.get_by_role("heading", level=1)).to_be_visible()
    other.close()
