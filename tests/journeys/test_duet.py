"""Two people with a browser each, and what one says of a track that shall never come again."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from tests.journeys import accessibility
from tests.journeys.test_listening import play, player, state, wait_until_heard

pytestmark = pytest.mark.filterwarnings("ignore")


def begin(page):
    """A duet; returns the invitation."""
    page.get_by_role("link", name="Playlists").click()
    page.get_by_role("link", name="Make one with somebody.").click()
    page.get_by_role("button", name="Begin a duet").click()
    return page.get_by_label("Invitation").input_value()


def join(page, link):
    page.goto(link)
    page.get_by_role("button", name="Start listening and join").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You and a guest")


def rate(page, *opinions):
    for number, opinion in enumerate(opinions):
        row = page.locator("li[data-track]").nth(number)
        row.get_by_role("button", name=re.compile(f"^{opinion}")).click()


def titles(page):
    return page.locator("li[data-track] [data-field=title]").all_inner_texts()


def test_two_listeners_make_a_playlist_together(guest, stranger):
    guest.evaluate("() => { window.sameDocument = true }")
    rate(guest, "Like", "Dislike", "Like")
    link = begin(guest)
    join(stranger, link)
    expect(guest.get_by_role("heading", level=1)).to_have_text("You and a guest")
    slider = stranger.get_by_role("slider", name="Fairness")
    slider.focus()
    slider.press("End")
    guest.wait_for_function("() => document.querySelector('[data-duet-fairness]').value === '100'")
    guest.get_by_role("button", name="Make a playlist together").click()
    for page in (guest, stranger):
        expect(page.locator("[data-duet-playlists] a")).to_have_count(1, timeout=60_000)
    guest.locator("[data-duet-playlists] a").click()
    stranger.locator("[data-duet-playlists] a").click()
    for page in (guest, stranger):
        expect(page.locator(".page-note")).to_contain_text("with a guest")
    assert guest.evaluate("() => window.sameDocument") is True
    prompts = [page.locator("li[data-track] [data-field=prompt]").all_inner_texts() for page in (guest, stranger)]
    assert prompts[0] == prompts[1]
    assert len(prompts[0]) > 2
    rate(guest, "Like")
    guest.wait_for_function("() => fetch('/api/state/').then((a) => a.json()).then((s) => s.rated === 1)")
    assert state(stranger)["rated"] == 0


def test_an_invitation_is_for_one_and_ends_with_the_duet(guest, stranger, browser):
    link = begin(guest)
    guest.goto(link)
    expect(guest.get_by_role("main")).to_contain_text("your own invitation")
    join(stranger, link)
    third = browser.new_page()
    third.goto(link)
    expect(third.get_by_role("main")).to_contain_text("joined this duet already")
    third.close()
    stranger.get_by_text("End this duet").click()
    stranger.get_by_role("button", name="End it").click()
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Duets")
    guest.get_by_role("link", name="Your duets").click()
    expect(guest.locator(".duet-row")).to_have_count(0)


def test_never_again_goes_on_and_can_be_undone(guest, demo):
    play(guest)
    wait_until_heard(guest, 2)
    first = player(guest).get_by_role("heading").inner_text()
    sent = []
    guest.on("request", lambda request: request.url.endswith("/api/listens/") and sent.append(request.post_data))
    player(guest).get_by_role("button", name="Never again").click()
    expect(player(guest).get_by_role("heading")).not_to_have_text(first)
    row = guest.locator("li[data-track]").nth(0)
    expect(row).to_have_attribute("data-never", "")
    expect(row).to_have_attribute("data-rating", "-1")
    guest.wait_for_function("() => fetch('/api/state/').then((a) => a.json()).then((s) => s.rated === 1)")
    hearing = json.loads(sent[0])
    assert hearing["ending"] == "skipped"
    assert 1 <= hearing["seconds"] < 12
    guest.reload()
    expect(guest.locator("li[data-track]").nth(0)).to_have_attribute("data-never", "")
    guest.locator("li[data-track]").nth(1).get_by_role("button", name=re.compile("^Play")).click()
    guest.keyboard.press("Shift+D")
    expect(guest.locator("li[data-track]").nth(1)).to_have_attribute("data-never", "")
    guest.keyboard.press("u")
    expect(guest.locator("li[data-track]").nth(1)).not_to_have_attribute("data-never", "")


def test_the_end_of_a_hearing_outlives_the_page(guest, demo):
    play(guest)
    wait_until_heard(guest, 2)
    with guest.expect_response(lambda answer: answer.url.endswith("/api/listens/")) as answered:
        guest.goto(f"{demo.address}/account/")
    assert answered.value.status in (200, 201)
    assert json.loads(answered.value.request.post_data)["ending"] == "left"
    guest.wait_for_function(
        """() => Object.entries(localStorage).some(([key, kept]) => key.includes("listens.") && kept === "[]")"""
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_a_duet_break_no_rule_of_accessibility_and_nothing_sticks_out(guest, stranger, demo, scheme):
    link = begin(guest)
    own = guest.url
    found = {}
    for width in (360, 1440):
        guest.set_viewport_size({"width": width, "height": 800})
        guest.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for address in (f"{demo.address}/duets/", own, link):
            guest.goto(address)
            assert guest.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), (address, width)
            if broken := accessibility.broken(guest):
                found[width, address] = broken
    stranger.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    join(stranger, link)
    assert accessibility.broken(stranger) == []
    assert found == {}
