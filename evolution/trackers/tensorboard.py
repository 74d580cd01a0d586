"""TensorBoard's event files, written by tensorboardX: what `tensorboard --logdir` shows."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata

from evolution.trackers.sink import Moment
from models_store import audio


class TensorBoard:
    """One event file for each process that works on the run; TensorBoard reads a folder's files as one.

    tensorboardX's own writer hands events to a thread; when that dies of a full disk the next event waits for ever.
    So events are written here, at once.
    """

    name = "TensorBoard"
    wants_sound = True

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # The name holds seconds only: two processes of one second must not share a file.
        self._events = EventsWriter(str(folder / "events"), f".{os.getpid()}.{uuid.uuid4().hex[:8]}")

    def numbers(self, values: Mapping[str, float], *, at: Moment) -> None:
        for name, value in values.items():
            self._write(summary.scalar(name, value), at)
        self._events.flush()

    def sound(self, name: str, file: Path, *, caption: str, at: Moment) -> None:
        heard = audio.read(file)
        kept = Summary.Audio(
            sample_rate=heard.sample_rate,
            num_channels=heard.samples.shape[1],
            length_frames=heard.samples.shape[2],
            encoded_audio_string=audio.encode(heard, format="wav"),
            content_type="audio/wav",
        )
        said = SummaryMetadata(summary_description=caption)
        self._write(Summary(value=[Summary.Value(tag=name, metadata=said, audio=kept)]), at)
        self._events.flush()

    def picture(self, name: str, file: Path, *, at: Moment) -> None:
        with Image.open(file) as image:
            kept = Summary.Image(
                height=image.height, width=image.width, colorspace=4, encoded_image_string=file.read_bytes()
            )
        self._write(Summary(value=[Summary.Value(tag=name, image=kept)]), at)
        self._events.flush()

    def close(self) -> None:
        self._events.close()

    def _write(self, content: Summary, at: Moment) -> None:
        self._events.write_event(Event(wall_time=time.time(), step=at.step, summary=content))
