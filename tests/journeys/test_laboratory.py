"""The laboratory as somebody uses it who studies the method: an experiment, its run as it goes on, what it came to."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from playwright.sync_api import Page, expect

from benchmarks import running
from tests.journeys import accessibility

pytestmark = pytest.mark.filterwarnings("ignore")

PASSWORD = "a fork at 440 hertz"
CONFIGURATION = """\
epochs: 2
evolution:
  generations: 4
  duration: 1.0
  best_duration: 3.0
  fitness: {mode: user}
  search: {mode: prompt GA, population_size: 16, elites: 0.2}
"""


@pytest.fixture(scope="module")
def staff(demo: running.Demo) -> str:
    """The name of a member of staff, made as one is made."""
    environment = {
        **os.environ,
        "EVOMUSIC_STATE": str(demo.state_folder),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    command = [sys.executable, "manage.py", "createsuperuser", "--noinput", "--username=ada", "--email=ada@example.org"]
    subprocess.run(command, cwd=running.ROOT, env=environment, check=True, capture_output=True)
    return "ada"


@pytest.fixture
def laboratory(page: Page, demo: running.Demo, staff: str) -> Page:
    """A member of staff in front of the index, who was asked to log in on the way."""
    page.goto(f"{demo.address}/laboratory/")
    page.get_by_label("Username").fill(staff)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    expect(page.get_by_role("heading", name="Experiments", exact=True)).to_be_visible()
    return page


def begin(page: Page, demo: running.Demo, *, name: str, generations: int = 4) -> None:
    """Make an experiment, start a listener, and go to its run's page."""
    page.goto(f"{demo.address}/laboratory/new/?way=text")
    page.get_by_label("Configuration").fill(CONFIGURATION.replace("generations: 4", f"generations: {generations}"))
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make the experiment").click()
    page.get_by_label("Reference listeners").fill("3")
    page.get_by_label("Seed", exact=True).fill("11")
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("link", name=re.compile(r"^Run \d+$")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Run")


def figure(page: Page, name: str) -> str:
    return page.locator(f"[data-figure={name}]").inner_text()


def rows(page: Page, table: str) -> int:
    return page.locator(f"[data-rows={table}] tr").count()


def until_done(page: Page) -> None:
    expect(page.locator("[data-figure=status]")).to_have_text("done", timeout=120_000)


def test_a_run_grows_on_the_page_and_its_candidates_can_be_heard(laboratory, demo):
    page = laboratory
    begin(page, demo, name="growing")
    page.evaluate("() => { window.notReloaded = true; }")
    page.wait_for_function("() => document.querySelectorAll('[data-rows=generations] tr').length >= 1")
    seen = rows(page, "generations")
    page.wait_for_function(f"() => document.querySelectorAll('[data-rows=generations] tr').length > {seen}")
    until_done(page)
    assert page.evaluate("() => window.notReloaded") is True
    assert rows(page, "generations") == 8
    assert (figure(page, "round"), figure(page, "generation")) == ("2 of 2", "4 of 4")
    assert float(figure(page, "player_seconds")) > 0
    expect(page.locator("[data-words=curves]")).to_contain_text("After 8 generations: best fitness from")
    expect(page.locator("[data-words=taste]")).to_contain_text("Learned against true taste in round 2: Spearman")

    heading = page.locator("[data-card-heading]")
    expect(heading).to_have_text(re.compile(r"^Candidate \d+ of generation 8$"))
    page.get_by_role("application").focus()
    page.keyboard.press("ArrowLeft")
    expect(heading).to_contain_text("of generation 7")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    expect(page.locator("[data-card-fitness]")).to_have_text(figure(page, "best"))
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('[data-hear-audio]').currentTime > 0.2", timeout=60_000)

    page.get_by_role("link", name="Family tree").click()
    expect(page.get_by_role("heading", name="Where it comes from")).to_be_visible()
    page.go_back()
    page.locator(".lab-candidates tbody tr").filter(has_text="crossover").first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Candidate")
    assert page.locator(".family-node").count() == page.locator(".ancestors > li").count()
    assert page.locator(".family-edge").count() >= 1


def test_a_click_on_a_point_shows_its_candidate_and_a_parent_is_one_click_away(laboratory, demo):
    page = laboratory
    begin(page, demo, name="clicking")
    until_done(page)
    expect(page.locator("[data-card-heading]")).to_contain_text("of generation 8")  # it follows until one is chosen
    picture = page.locator("[data-chart=points] .u-over")
    picture.scroll_into_view_if_needed()
    place = page.locator(".point-ring-selected").bounding_box()
    page.get_by_role("application").focus()
    page.keyboard.press("Home")
    worst = page.locator("[data-card-fitness]")
    before = worst.inner_text()
    assert place is not None
    page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    expect(worst).not_to_have_text(before)
    parents = page.locator("[data-card-parents] button")
    if parents.count():
        parents.first.click()
        expect(page.locator("[data-card-heading]")).not_to_contain_text("of generation 8")
    expect(page.locator("[data-population-heading]")).to_contain_text("Generation 8")
    page.get_by_role("link", name="Artefacts", exact=True).click()
    expect(page.locator(".lab-candidates th[aria-sort=descending]")).to_contain_text("Artefacts")
    page.get_by_role("link", name="Previous").click()
    expect(page.locator("[data-population-heading]")).to_contain_text("Generation 7")
    assert "order" not in page.url  # turned without leaving the page


def test_a_run_can_be_paused_and_goes_on_and_can_be_compared(laboratory, demo):
    page = laboratory
    begin(page, demo, name="pausing", generations=10)
    page.wait_for_function("() => document.querySelectorAll('[data-rows=generations] tr').length >= 1")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-figure=status]")).to_have_text("paused")
    page.get_by_role("button", name="Resume").click()
    until_done(page)
    assert rows(page, "generations") == 20
    page.get_by_role("link", name="Compare with other runs").click()
    page.locator("input[name=experiment][value=growing]").check()
    page.get_by_role("button", name="Compare", exact=True).click()
    table = page.get_by_role("region", name="Figures side by side")
    expect(table.get_by_role("row")).to_have_count(3)
    table.get_by_role("link", name="Final mean").click()
    means = [float(text) for text in page.locator(".lab-compared tbody td:nth-child(8)").all_inner_texts()]
    assert means == sorted(means, reverse=True)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "comparison.csv"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible_and_fit_a_phone(laboratory, demo, scheme):
    page = laboratory
    page.emulate_media(color_scheme=scheme)
    page.get_by_role("link", name="growing").click()
    page.get_by_role("link", name=re.compile(r"^Run \d+$")).first.click()
    run = page.url
    tree = page.locator(".lab-candidates tbody th a").first.get_attribute("href")
    for address in (run, f"{demo.address}{tree}", f"{demo.address}/laboratory/compare/?experiment=growing"):
        for width in (1440, 360):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(address)
            page.wait_for_timeout(500)  # until charts are drawn
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), (address, width)
            assert accessibility.broken(page) == [], (address, width)


def test_the_laboratory_says_nothing_to_people_who_listen(guest, demo):
    answer = guest.goto(f"{demo.address}/laboratory/")
    assert answer is not None
    assert answer.status == 404
