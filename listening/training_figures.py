"""Where the figures of a training go: TensorBoard and Weights & Biases. One that fails is left out, and said so."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from evolution.trackers.sink import Moment, Sink
from models_store.aligner.descent import Told

logger = logging.getLogger(__name__)


@contextmanager
def told(
    *, tensorboard: Path | None, project: str | None, folder: Path, title: str, configuration: dict[str, Any]
) -> Iterator[Told | None]:
    """Who hears of each epoch inside the block; None: nobody.

    tensorboard: folder of its event files. project: of Weights & Biases, whose files are kept in `folder`; the same
    title and configuration again go on with the same run. An epoch is told as a generation of round 1.
    Raises OSError for a folder that cannot be written and wandb.Error when it cannot be reached.
    """
    sinks: list[Sink] = []
    if tensorboard is not None:
        from evolution.trackers.tensorboard import TensorBoard  # only who asks for it needs the package

        sinks.append(TensorBoard(tensorboard))
    if project is not None:
        from evolution.trackers.weights_and_biases import WeightsAndBiases

        identity = blake2b(repr((title, configuration)).encode(), digest_size=8).hexdigest()
        sinks.append(
            WeightsAndBiases(
                folder, project=project, identity=identity, title=title, configuration=configuration, token=""
            )
        )

    def tell(epoch: int, values: Mapping[str, float]) -> None:
        at = Moment(step=epoch, round=1, generation=epoch)
        for sink in list(sinks):
            try:
                sink.numbers({f"aligner/{name}": value for name, value in values.items()}, at=at)
            except Exception as error:  # whatever a tracker raises, a training of hours goes on
                logger.warning("%s is told nothing more: %s", sink.name, error)
                sinks.remove(sink)

    try:
        yield tell if sinks else None
    finally:
        for sink in sinks:
            sink.close()
