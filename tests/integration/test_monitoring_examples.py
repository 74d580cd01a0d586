"""The example for Prometheus, and the tables of the document: they name what there is."""

from __future__ import annotations

import re

import pytest
import yaml
from django.urls import reverse
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from evomusic_site import environment, figures, metrics, rows_metrics
from evomusic_site.environment import ROOT
from tests.integration.scraping import TOKEN

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
    told = scraped()
    assert all((FOLDER / name).exists() for name in told["rule_files"])
    web, workers = told["scrape_configs"]
    assert web["metrics_path"] == reverse("metrics")
    assert web["authorization"]["type"] == "Bearer"
    assert "authorization" not in workers  # they ask for no token, and must not be told it


def test_all_containers_of_web_conductors_and_players_are_found_by_name_and_asked_where_they_answer():
    services = composed()["services"]
    web, workers = (job["dns_sd_configs"] for job in scraped()["scrape_configs"])
    assert [(one["names"], one["type"], one["port"]) for one in web] == [
        (["web"], "A", int(services["web"]["environment"]["PORT"]))
    ]
    [found] = workers
    names = {name: [name, *aliases(service)] for name, service in services.items()}
    measured = {name for name, service in services.items() if "EVOMUSIC_METRICS_PORT" in service.get("environment", ())}
    assert measured == {name for name, service in services.items() if "Dockerfile.worker" in str(service.get("build"))}
    assert {"conductor", "player", "player-gpu-0"} == measured
    assert all(set(names[name]) & set(found["names"]) for name in measured)
    assert set(found["names"]) <= {word for name in measured for word in names[name]}
    for name in measured:
        told = services[name]["environment"]
        assert (int(told["EVOMUSIC_METRICS_PORT"]), told["EVOMUSIC_METRICS_HOST"]) == (found["port"], "0.0.0.0")  # noqa: S104


def test_prometheus_is_given_its_files_and_the_token_that_the_web_processes_have():
    told, prometheus = composed(), composed()["services"]["prometheus"]
    assert prometheus["profiles"] == ["monitoring"]
    [secret] = prometheus["secrets"]
    assert told["secrets"][secret] == {"environment": "EVOMUSIC_METRICS_TOKEN"}
    assert scraped()["scrape_configs"][0]["authorization"]["credentials_file"] == f"/run/secrets/{secret}"
    assert "EVOMUSIC_METRICS_TOKEN" not in told["services"]["web"]["environment"]  # it comes from .env
    assert told["services"]["web"]["env_file"] == ["../.env"]
    mounted = dict(volume.split(":")[:2] for volume in prometheus["volumes"])
    assert (ROOT / "deploy" / "prometheus").samefile(FOLDER)
    assert mounted["./prometheus"] == "/etc/prometheus"
    assert "--config.file=/etc/prometheus/prometheus.yaml" in prometheus["command"]
    assert set(mounted) - {"./prometheus"} <= set(told["volumes"])


def test_nothing_but_the_site_itself_is_published_to_others_and_the_site_does_not_pass_metrics_on():
    published = {name: one["ports"] for name, one in composed()["services"].items() if "ports" in one}
    assert set(published) == {"caddy", "prometheus"}
    assert all(port.startswith("127.0.0.1:") for port in published["prometheus"])
    lines = [line.strip() for line in (ROOT / "deploy" / "Caddyfile").read_text().splitlines()]
    assert f"@metrics path {reverse('metrics')}" in lines
    assert lines.index("respond @metrics 404") < lines.index("reverse_proxy {")


@pytest.mark.django_db
def test_prometheus_may_ask_a_web_process_by_its_own_address_and_by_no_other(client, settings):
    settings.METRICS_TOKEN = TOKEN
    settings.ALLOWED_HOSTS = ["music.example.org", *environment.private_hosts({"172.18.0.5", "fd00::5"})]
    header = {"Authorization": f"Bearer {TOKEN}"}

    def status(host):
        return client.get("/metrics", headers={**header, "Host": host}).status_code

    assert status("172.18.0.5:8000") == status("[fd00::5]:8000") == 200
    assert status("172.18.0.6:8000") == 400
    assert client.get("/metrics", headers={"Host": "172.18.0.5:8000"}).status_code == 404


def composed():
    return yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())


def scraped():
    return yaml.safe_load((FOLDER / "prometheus.yaml").read_text())


def aliases(service):
    return service.get("networks", {}).get("default", {}).get("aliases", [])


def test_the_document_names_metrics_that_there_are_and_all_of_them(names):
    told = set(NAME.findall((ROOT / "docs" / "monitoring.md").read_text())) - NO_METRICS
    assert told <= names
    ours = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in names}
    assert {name for name in ours if name.startswith("evomusic_")} - told == set()
