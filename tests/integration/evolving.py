"""Small experiments for the tests of `evolve`: eight candidates of one second, in this process or in one of its own."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from evomusic_site.environment import ROOT

SMALL: dict[str, Any] = {
    "epochs": 2,
    "user_model": {"best_solutions": 3, "users": [{"user_type": "synth", "target_user_id": 3}]},
    "evolution": {
        "exp_name": "small",
        "generations": 2,
        "duration": 1.0,
        "best_duration": 1.5,
        "fitness": {"mode": "dynamic"},
        "search": {"mode": "prompt GA", "population_size": 8},
    },
}


def changed(**changes: Any) -> dict[str, Any]:
    """SMALL with other values: `evolution__search__mode="GA"`; None takes a key away."""
    content = deepcopy(SMALL)
    for path, value in changes.items():
        *parents, key = path.split("__")
        place = content
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is None:
            place.pop(key, None)
        else:
            place[key] = value
    return content


def written(folder: Path, content: Any) -> Path:
    """The configuration as a file."""
    file = folder / "experiment.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return file


@contextmanager
def state(folder: Path) -> Iterator[None]:
    """Recordings and logs under this folder, as a process with EVOMUSIC_STATE has them."""
    with override_settings(STATE_FOLDER=folder, MEDIA_ROOT=folder / "media"):
        yield


def evolve(config: Path | None, out: Path, *, seed: int | None = 5, workers: int | None = 0, **options: Any) -> str:
    """The command in this process; gives what it prints."""
    said = io.StringIO()
    call_command("evolve", config=config, out=out, seed=seed, workers=workers, stdout=said, stderr=said, **options)
    return said.getvalue()


def begun(
    config: Path, out: Path, state_folder: Path, redis_url: str, *, seed: int = 5, workers: int = 0
) -> subprocess.Popen[str]:
    """The command in a process of its own, on the database and the broker of the tests."""
    database = connection.settings_dict
    address = f"postgresql://{database['USER']}:{database['PASSWORD']}@/{database['NAME']}?host={database['HOST']}"
    environment = {**os.environ, "DATABASE_URL": address, "REDIS_URL": redis_url, "EVOMUSIC_STATE": str(state_folder)}
    options = ["--config", str(config), "--out", str(out), "--seed", str(seed), "--workers", str(workers)]
    return subprocess.Popen(
        [sys.executable, "manage.py", "evolve", *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def history(out: Path) -> list[dict[str, str]]:
    """history.csv without what depends on the machine's haste."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows(out / "history.csv")]
