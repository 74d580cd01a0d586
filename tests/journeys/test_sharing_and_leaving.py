"""What is shared plays for a stranger until it is taken back; everything can be taken along, and deleted."""

from __future__ import annotations

import re
import zipfile

import pytest
from playwright.sync_api import expect

from tests.journeys import accessibility

pytestmark = pytest.mark.filterwarnings("ignore")


def share(page):
    """Share the first playlist; returns the address."""
    page.get_by_role("link", name="Playlists").click()
    page.get_by_role("link", name="Playlist 1", exact=True).click()
    page.get_by_role("link", name="Share", exact=True).click()
    page.get_by_label("From").fill("Zebedee")
    page.get_by_role("button", name="Make a link").click()
    return page.get_by_label("Address").input_value()


def plays(page):
    page.wait_for_function("() => document.querySelector('[data-sound]').currentTime > 0.5")


def test_a_stranger_hears_what_is_shared_until_it_is_taken_back(guest, stranger):
    guest.evaluate("() => { window.sameDocument = true }")
    link = share(guest)
    stranger.goto(link)
    expect(stranger.locator(".page-note")).to_contain_text("From Zebedee")
    pieces = stranger.locator("[data-piece]")
    first, second = (pieces.nth(index).locator(".track-title").inner_text() for index in (0, 1))
    stranger.get_by_role("button", name=f"Play {first}", exact=True).click()
    plays(stranger)
    expect(stranger.get_by_role("button", name=f"Pause {first}", exact=True)).to_be_visible()
    stranger.evaluate("() => { const s = document.querySelector('[data-sound]'); s.currentTime = s.duration - 0.3 }")
    expect(stranger.get_by_role("button", name=f"Pause {second}", exact=True)).to_be_visible()
    assert stranger.context.cookies() == []
    guest.get_by_role("link", name="Account", exact=True).click()
    expect(guest.get_by_role("heading", level=1)).to_have_text("Account", timeout=30_000)
    with guest.expect_response(lambda answer: answer.url.endswith("/take-back/")) as taken:
        guest.get_by_role("button", name=re.compile("^Take it back")).click()
    assert taken.value.status == 302
    expect(guest.locator("#shared")).to_contain_text("You share nothing", timeout=30_000)
    assert guest.evaluate("() => window.sameDocument") is True
    third = pieces.nth(2).locator(".track-title").inner_text()
    stranger.get_by_role("button", name=f"Play {third}", exact=True).click()
    expect(stranger.locator("[data-state]")).to_contain_text("cannot be played")
    stranger.reload()
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Nothing here any more")
    stranger.get_by_role("link", name="Start your own").click()
    expect(stranger.get_by_role("button", name="Start listening")).to_be_visible()


def test_everything_is_taken_along_and_then_deleted(guest, demo, tmp_path):
    guest.get_by_role("link", name="Account", exact=True).click()
    guest.get_by_label("with the music").check()
    with guest.expect_download() as download:
        guest.get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "mine.zip")
    with zipfile.ZipFile(tmp_path / "mine.zip") as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert "ratings.csv" in names
    assert len([name for name in names if name.startswith("music/")]) > 2
    guest.get_by_role("link", name="Delete everything").click()
    guest.get_by_label("Type").fill("no")
    guest.get_by_role("button", name="Delete everything").click()
    expect(guest.get_by_role("alert")).to_be_visible()
    guest.get_by_label("Type").fill("delete")
    guest.get_by_role("button", name="Delete everything").click()
    expect(guest.get_by_role("heading", level=1)).to_have_text("It is all deleted")
    assert guest.evaluate("() => localStorage.length") == 0
    guest.goto(f"{demo.address}/listen/")
    expect(guest.get_by_role("button", name="Start listening")).to_be_visible()


def test_no_page_of_it_breaks_a_rule_of_accessibility_and_nothing_sticks_out(guest, demo):
    guest.locator("li[data-track]").nth(0).get_by_role("button", name=re.compile("^Like")).click()
    link = share(guest)
    own = guest.url
    found = {}
    for width, scheme in ((360, "light"), (1440, "dark")):
        guest.set_viewport_size({"width": width, "height": 800})
        guest.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for address in (own, link, f"{link[:-1]}x/", "/account/", "/account/delete/", "/favourites/"):
            guest.goto(address if address.startswith("http") else f"{demo.address}{address}")
            assert guest.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), (address, width)
            if broken := accessibility.broken(guest):
                found[width, address] = broken
    assert found == {}
