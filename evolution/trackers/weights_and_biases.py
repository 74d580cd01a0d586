"""Weights & Biases. Its own WANDB_MODE, WANDB_BASE_URL and WANDB_API_KEY count as everywhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evolution.trackers.sink import Moment

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # what goes wrong here is told here; read on import

import wandb

CONNECT_SECONDS = 30.0
FINISH_SECONDS = 60.0
"""How long the last figures may take to be sent; `wandb sync` sends what is left."""


class WeightsAndBiases:
    """A run over there, under an `identity` of ours: the same again goes on with the same run.

    token: "" for its own login. configuration: what the run is shown with; without secrets.
    Raises wandb.Error when it cannot be reached or knows no key; WANDB_MODE=offline keeps all in the folder, for
    `wandb sync`.
    """

    name = "Weights & Biases"
    wants_sound = True

    def __init__(
        self, folder: Path, *, project: str, identity: str, title: str, configuration: dict[str, Any], token: str
    ) -> None:
        self._token = token
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {"project": project, "id": identity, "name": title, "config": configuration, "dir": str(folder)}
        self._run = self._open(wanted)
        self._run.define_metric("generation")
        self._run.define_metric("*", step_metric="generation")

    def numbers(self, values: Mapping[str, float], *, at: Moment) -> None:
        self._run.log({**values, "generation": at.step, "round": at.round})

    def sound(self, name: str, file: Path, *, caption: str, at: Moment) -> None:
        self._run.log({name: wandb.Audio(str(file), caption=caption), "generation": at.step})

    def picture(self, name: str, file: Path, *, at: Moment) -> None:
        self._run.log({name: wandb.Image(str(file)), "generation": at.step})

    def close(self) -> None:
        self._run.finish()

    def _open(self, wanted: dict[str, Any]) -> wandb.Run:
        wandb.setup(wandb.Settings(silent=True))  # or it advertises on the terminal
        # Handed over like this the token is in no file; `wandb.login` would write it to ~/.netrc.
        settings = wandb.Settings(
            silent=True,
            console="off",
            save_code=False,
            disable_code=True,
            disable_git=True,
            disable_job_creation=True,
            x_disable_meta=True,  # the command line, the user's and the machine's name
            x_disable_machine_info=True,
            x_disable_stats=True,
            x_save_requirements=False,
            init_timeout=CONNECT_SECONDS,
            finish_timeout=FINISH_SECONDS,
            api_key=self._token or None,
        )
        return wandb.init(resume="allow", reinit="create_new", settings=settings, **wanted)
