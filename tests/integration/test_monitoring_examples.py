"""The example for Prometheus, and the tables of the document: they name what there is."""

from __future__ import annotations

import re

import pytest
import yaml
from django.urls import reverse
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from evomusic_site import figures, metrics, rows_metrics
from evomusic_site.environment import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
NAME = re.compile(r"\bevomusic_[a-z0-9_]+\b")
GPU = "evomusic_gpu_memory_bytes"
SUFFIXES = {"counter": ("_total",), "histogram": ("", "_bucket", "_sum", "_count"), "gauge": ("",)}
NO_METRICS = {"evomusic_metrics_token", "evomusic_site"}


@pytest.fixture
def names(db):
    """Every name under which a sample can be asked for."""
    figures._LATEST.clear()
    text = (generate_latest(metrics.REGISTRY) + generate_latest(rows_metrics.REGISTRY)).decode()
    families = list(text_string_to_metric_families(text))
    assert GPU in (ROOT / "evomusic_site" / "metrics_server.py").read_text()
    return {GPU} | {one.name + suffix for one in families for suffix in SUFFIXES.get(one.type, ("",))}


def rules():
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_every_alert_says_when_how_grave_and_what(names):
    assert len(rules()) >= 5
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"].endswith(".")
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))


def test_alerts_name_metrics_that_there_are(names):
    for rule in rules():
        named = set(NAME.findall(rule["expr"]))
        assert named
        assert named <= names, rule["alert"]


def test_brackets_of_the_expressions_close():
    for rule in rules():
        for opening, closing in ("()", "[]", "{}"):
            assert rule["expr"].count(opening) == rule["expr"].count(closing), rule["alert"]


def test_labels_that_alerts_ask_for_are_values_that_there_are():
    told = " ".join(rule["expr"] for rule in rules())
    assert set(re.findall(r'event="(\w+)"', told)) <= set(metrics.EVENT_NAMES)
    for view in re.findall(r'view="([\w:]+)"', told):
        assert reverse(view)


def test_the_scrape_configuration_asks_where_metrics_are():
    told = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    assert all((FOLDER / name).exists() for name in told["rule_files"])
    web, workers = told["scrape_configs"]
    assert web["metrics_path"] == reverse("metrics")
    assert web["authorization"]["type"] == "Bearer"
    assert workers["static_configs"][0]["targets"]


def test_the_document_names_metrics_that_there_are_and_all_of_them(names):
    told = set(NAME.findall((ROOT / "docs" / "monitoring.md").read_text())) - NO_METRICS
    assert told <= names
    ours = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in names}
    assert {name for name in ours if name.startswith("evomusic_")} - told == set()
