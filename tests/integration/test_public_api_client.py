"""The example client against a real server, with a conductor and a player that make music."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from pytest_django.live_server_helper import LiveServer

from evomusic_site.environment import ROOT
from listening import listeners
from listening.models import Playlist, Rating
from public_api import tokens

pytestmark = pytest.mark.django_db(transaction=True)

SMALL = {
    "user_model": {"best_solutions": 3, "user_conf": {"init": "mean"}, "train_conf": {"lr": 0.1, "epochs": 5}},
    "evolution": {
        "generations": 1,
        "duration": 1.0,
        "best_duration": 1.5,
        "search": {"population_size": 4},
    },
}


def test_the_example_client_listens_rates_and_evolves_by_itself(
    settings: object, workers: None, live_server: LiveServer
):
    settings.LISTENING_CONFIGURATION = SMALL  # type: ignore[attr-defined]
    grace = listeners.keep(listeners.make_guest(), username="grace", password="a long pass phrase")
    token = tokens.make(user=grace.user, name="client", scopes=["listen"], days=1).text
    said = ran(live_server.url, token, "--playlists", "2", "--likes", "a", "--seed", "3")
    assert said.returncode == 0, said.stderr
    first, *lines = said.stdout.splitlines()
    assert first == "Listening as grace."
    assert [line.split("[")[0].split() for line in lines] == [["playlist", "1"], ["playlist", "2"]]
    heard = list(Playlist.objects.filter(listener=grace, number__lte=2).order_by("number"))
    for playlist, line in zip(heard, lines, strict=True):
        values = list(Rating.objects.filter(track__place__playlist=playlist).values_list("value", flat=True))
        assert len(values) == playlist.places.count() == 3
        assert line.endswith(f"{values.count(1)} of 3 liked")
    assert token not in said.stdout + said.stderr


def test_the_example_client_says_in_the_apis_words_why_it_may_not(live_server: LiveServer):
    said = ran(live_server.url, "evo_nothing", "--playlists", "1")
    assert said.returncode == 1
    assert said.stderr.startswith("ApiError: 401: Expected a token")


def ran(address: str, token: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / "client" / "listen.py"), address, *options],
        env={**os.environ, "EVOMUSIC_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
