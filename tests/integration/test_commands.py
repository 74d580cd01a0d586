from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from listening import listeners, simulation
from listening.models import Listener, Rating
from tests.integration.test_rounds import SMALL

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small(settings):
    settings.LISTENING_CONFIGURATION = SMALL


def simulate(tmp_path, **options):
    file = tmp_path / "figures.json"
    call_command("simulate", listeners=2, rounds=2, seed=3, json=file, **options)
    return json.loads(file.read_text())


def test_synthetic_listeners_go_through_the_same_loop_as_people(workers, tmp_path):
    content = simulate(tmp_path)
    assert (content["seed"], content["listeners"]) == (3, 2)
    assert [one["round"] for one in content["rounds"]] == [1, 2]
    for one in content["rounds"]:
        assert 0 <= one["liked"] <= 1
        assert 0 <= one["control"] <= 1
        assert one["variety"] > 0
        assert one["ratings"] == 8
    assert Listener.objects.exclude(reference_user=None).count() == 2
    assert Rating.objects.count() == 16


def test_the_same_seed_gives_the_same_figures(workers, tmp_path):
    assert simulate(tmp_path, noise=0.3) == simulate(tmp_path, noise=0.3)


def test_listeners_who_always_err_like_what_they_would_not_have_liked(workers, tmp_path):
    right, wrong = simulate(tmp_path)["rounds"][0], simulate(tmp_path, noise=1.0)["rounds"][0]
    assert wrong["liked"] == pytest.approx(1 - right["liked"])
    assert wrong["control"] == pytest.approx(1 - right["control"])


def test_a_simulation_without_listeners_is_refused():
    with pytest.raises(CommandError, match="at least 1 listener"):
        call_command("simulate", listeners=0)


def test_a_person_has_no_true_taste(db):
    from listening import profiles

    with pytest.raises(ValueError, match="expected a synthetic listener"):
        profiles.reference(listeners.make_guest())


def test_a_failed_round_ends_the_simulation_with_its_reason(workers, monkeypatch):
    from models_store import catalog

    def broken(name, **parameters):
        raise ValueError("the SoundFont is gone")

    monkeypatch.setattr(catalog, "generator", broken)
    with pytest.raises(simulation.SimulationError, match="the SoundFont is gone"):
        simulation.run(listeners_count=1, rounds=1, seed=0)


def test_the_doctor_says_what_is_here_and_what_is_missing(db, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    call_command("doctor")
    said = capsys.readouterr().out
    for subject in ("torch", "soundfont", "spectral", "aligner", "PostgreSQL", "pgvector", "Redis answers"):
        assert subject in said
    assert "make demo" in said  # no player runs in this test
