"""Reading ahead: the next batches are made ready in a thread of their own while the last is worked on."""

from __future__ import annotations

import queue
from collections.abc import Generator, Iterator
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

_WAIT = 0.1
"""Seconds after which a thread that waits for room looks whether it is still wanted."""


def ahead(source: Iterator[T], *, depth: int) -> Generator[T]:
    """What `source` gives, in the same order, made `depth` items ahead; 0: in this thread, when it is asked for.

    Whatever the source raises is raised here, in its turn. Closing this generator ends the thread.
    """
    if depth < 1:
        yield from source
        return
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
    unwanted = Event()
    thread = Thread(target=_fill, args=(source, ready, unwanted), name="reading ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                if isinstance(error, StopIteration):
                    return
                raise error
            yield item  # type: ignore[misc]  # T may be None itself
    finally:
        unwanted.set()
        thread.join()


def _fill(source: Iterator[T], ready: queue.Queue[tuple[T | None, BaseException | None]], unwanted: Event) -> None:
    """Put everything that comes into the queue, and at last why nothing more comes."""
    end: BaseException = StopIteration()
    try:
        for item in source:
            if not _put(ready, (item, None), unwanted):
                return
    except BaseException as error:  # raised in the thread that asked
        end = error
    _put(ready, (None, end), unwanted)


def _put(
    ready: queue.Queue[tuple[T | None, BaseException | None]],
    item: tuple[T | None, BaseException | None],
    unwanted: Event,
) -> bool:
    """Whether there was room for it before nobody wanted it any more."""
    while not unwanted.is_set():
        try:
            ready.put(item, timeout=_WAIT)
        except queue.Full:
            continue
        return True
    return False
