"""What is shown when something failed: without a context, a session or a database."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from django.template.loader import get_template, render_to_string
from django.test import RequestFactory
from django.views import defaults

from evomusic_site.environment import ROOT


class Parts(HTMLParser):
    """The elements of a page, in their order, and how deep the last one stood."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    ("name", "told"), [("500.html", {}), ("503.html", {"message": "The database <rests>."})], ids=["500", "503"]
)
def test_a_page_of_a_failure_is_whole_and_needs_nobody(name, told):
    text = render_to_string(name, told)
    parts = Parts(text)
    assert parts.open == []
    assert text.startswith("<!doctype html>")
    tags = [tag for tag, _ in parts.found]
    assert [tags.count(tag) for tag in ("html", "head", "title", "body", "main", "h1")] == [1] * 6
    styles = [attributes["href"] for tag, attributes in parts.found if attributes.get("rel") == "stylesheet"]
    assert [style.rpartition("/")[2] for style in styles] == ["tokens.css", "base.css", "pages.css"]
    assert ("a", {"href": "/"}) in parts.found
    assert all(attributes.get("src") for tag, attributes in parts.found if tag == "script")
    if told:
        assert "The database &lt;rests&gt;." in text


def test_django_answers_a_fault_with_our_page_and_no_database():
    answer = defaults.server_error(RequestFactory().get("/anywhere"))
    assert answer.status_code == 500
    assert answer.content.decode() == get_template("500.html").render()
    assert "A wrong note" in answer.content.decode()


@pytest.mark.parametrize("said", ["js/theme_early.js", 'name="viewport"', 'name="theme-color"', "css/tokens.css"])
def test_what_every_page_says_of_itself_stands_in_one_file(said):
    assert [path.name for path in (ROOT / "templates").rglob("*.html") if said in path.read_text()] == ["_head.html"]
