"""The descent that every training of an aligner is: epochs, decay on plateau, early stopping, and going on later."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from models_store.aligner.model import AlignerV2

logger = logging.getLogger(__name__)

Told = Callable[[int, Mapping[str, float]], None]
"""Is told after each epoch (from 1) its loss, temperature, rate, validation AUC and seconds."""

TABLE_RATE = 10
"""Times the rate of the weights: a row of the table is met once in `users` pairs, a weight in every one."""


class DivergedError(RuntimeError):
    """The loss is no number any more. What was kept before is still good."""


@dataclass(frozen=True)
class Pace:
    """How to descend.

    steps: per epoch. epochs: at most. patience: epochs without a better validation AUC before the end; the rate falls
    to a third after half as many. lr: of AdamW; of the user table TABLE_RATE times as much. weight_decay: of
    everything but the table and the temperature. table_decay: of the table: keeps its embeddings one cloud around zero.
    fused: whether the optimiser takes all parameters at once: quicker for millions of them, and rounded otherwise.
    """

    steps: int
    epochs: int
    patience: int
    lr: float
    weight_decay: float
    table_decay: float
    fused: bool = False

    def __post_init__(self) -> None:
        for name in ("steps", "epochs", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if not 0 < self.lr < float("inf"):
            raise ValueError(f"lr: expected a positive number, got {self.lr}")
        for name in ("weight_decay", "table_decay"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: expected 0 or a positive number, got {getattr(self, name)}")


class Lessons(Protocol):
    """Where losses come from."""

    def losses(self, aligner: AlignerV2, *, epoch: int) -> Iterator[Tensor]:
        """The loss of each batch of an epoch (from 1), to be followed by a step before the next is asked for."""


class Descent:
    """An aligner on its way down. `state` after an epoch, restored elsewhere, goes on to the same weights."""

    def __init__(self, aligner: AlignerV2, pace: Pace) -> None:
        self.aligner = aligner
        self.pace = pace
        self.aucs: list[float] = []
        self._best = copy.deepcopy(aligner.state_dict())
        self._best_epoch = 0
        self._optimiser = torch.optim.AdamW(_groups(aligner, pace), lr=pace.lr, fused=pace.fused or None)
        self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self._optimiser, mode="max", factor=1 / 3, patience=pace.patience // 2
        )

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or enough of them without a better AUC."""
        return len(self.aucs) >= self.pace.epochs or len(self.aucs) - self._best_epoch >= self.pace.patience

    def run(
        self,
        lessons: Lessons,
        validate: Callable[[AlignerV2], float],
        *,
        told: Told | None = None,
        keep: Callable[[], None] | None = None,
        progress: bool = False,
    ) -> None:
        """Descend until `finished`, and leave the aligner as it was after its best epoch, in evaluation mode.

        validate: the AUC by which the best epoch is chosen. told: hears of every epoch. keep: is called after it.
        Raises DivergedError.
        """
        bar = tqdm(total=self.pace.epochs, initial=len(self.aucs), desc="epochs", disable=not progress)
        with bar:
            while not self.finished:
                figures = self._epoch(lessons, validate, progress=progress)
                bar.update()
                bar.set_postfix(loss=f"{figures['loss']:.3f}", auc=f"{figures['validation_auc']:.4f}")
                if told is not None:
                    told(len(self.aucs), figures)
                if keep is not None:
                    keep()
        self.aligner.load_state_dict(self._best)
        self.aligner.eval()

    def step(self, loss: Tensor) -> None:
        """One step down a loss [] of a batch."""
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that the next epoch depends on: the weights, and the rest as plain values."""
        rest = {
            "aucs": list(self.aucs),
            "best_epoch": self._best_epoch,
            "best": dict(self._best),
            "optimiser": self._optimiser.state_dict(),
            "plateau": self._plateau.state_dict(),
        }
        return dict(self.aligner.state_dict()), rest

    def restore(self, weights: Mapping[str, Tensor], rest: Mapping[str, Any]) -> None:
        """Go on where `state` was taken, with an aligner and a pace of the same kind."""
        self.aligner.load_state_dict(weights)
        self._best = {name: value.to(self.aligner.user_table.device) for name, value in rest["best"].items()}
        self._optimiser.load_state_dict(rest["optimiser"])
        self._plateau.load_state_dict(rest["plateau"])
        self.aucs = list(rest["aucs"])
        self._best_epoch = rest["best_epoch"]

    def _epoch(self, lessons: Lessons, validate: Callable[[AlignerV2], float], *, progress: bool) -> dict[str, float]:
        """One epoch; its figures."""
        epoch, began = len(self.aucs) + 1, time.perf_counter()
        rate = float(self._optimiser.param_groups[-1]["lr"])
        self.aligner.train()
        losses = []
        steps = lessons.losses(self.aligner, epoch=epoch)
        for loss in tqdm(steps, desc="steps", total=self.pace.steps, leave=False, delay=2, disable=not progress):
            self.step(loss)
            losses.append(loss.detach())
        mean = float(torch.stack(losses).mean())
        if mean != mean or mean in (float("inf"), float("-inf")):
            raise DivergedError(f"epoch {epoch}: the loss is {mean}; try a lower rate than {self.pace.lr:g}")
        # A batch norm that is asked in training mode would learn from the songs held out.
        self.aligner.eval()
        self._judge(validate(self.aligner))
        figures = {
            "loss": mean,
            "temperature": float(self.aligner.temperature.detach()),
            "rate": rate,
            "validation_auc": self.aucs[-1],
            "seconds": time.perf_counter() - began,
        }
        logger.debug("epoch %d: %s", epoch, figures)
        return figures

    def _judge(self, auc: float) -> None:
        """Remember an epoch's AUC, slow down if there is no progress, and keep the weights if they are the best."""
        self.aucs.append(auc)
        self._plateau.step(auc)
        if auc > max(self.aucs[:-1], default=-1.0):
            self._best, self._best_epoch = copy.deepcopy(self.aligner.state_dict()), len(self.aucs)


def _groups(aligner: AlignerV2, pace: Pace) -> list[dict[str, object]]:
    """Parameter groups: the table and the temperature are not decayed like weights."""
    apart = {id(aligner.user_table), id(aligner.log_temperature)}
    return [
        {"params": [aligner.user_table], "lr": pace.lr * TABLE_RATE, "weight_decay": pace.table_decay},
        {"params": [aligner.log_temperature], "weight_decay": 0.0},
        {"params": [p for p in aligner.parameters() if id(p) not in apart], "weight_decay": pace.weight_decay},
    ]
