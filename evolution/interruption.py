"""Ctrl-C and SIGTERM, taken where nothing is half done.

Python raises KeyboardInterrupt wherever the main thread happens to be: inside a query, which leaves the connection
unusable; inside a callback from C, where it is swallowed; inside a lock of the threading module, which then stays
locked for ever.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
EXIT_CODE = 130
"""Of a command that was ended so, as shells count it."""

_came: list[int] = []
"""The signals that came inside the block, or the one that `request` stands for."""


class Interrupted(KeyboardInterrupt):
    """Somebody asked for the work to end, and here it can."""


def check() -> None:
    """A place where the work can end. Raises Interrupted when that was asked for."""
    if _came:
        raise Interrupted


def request() -> None:
    """Ask for the end of all work of this process, in every thread: as a first signal inside `awaited` does."""
    if not _came:
        _came.append(signal.SIGTERM)


def at_once() -> bool:
    """Whether it was asked for twice, so that KeyboardInterrupt was raised wherever the work was."""
    return len(_came) > 1


@contextmanager
def awaited(tell: Callable[[], None]) -> Iterator[None]:
    """Inside the block a signal makes the next `check` raise; another one raises KeyboardInterrupt where it comes.

    Where an event loop runs, the first one raises, too: it ends the waiting for a language model.

    tell: called once, by the first signal. Outside the main thread, where no signal comes, nothing is changed.
    """

    def noted(number: int, frame: FrameType | None) -> None:
        _came.append(number)
        if at_once():
            raise KeyboardInterrupt
        tell()
        if _in_an_event_loop(frame):
            raise Interrupted  # whoever waits for a network has nothing half done, and may wait long

    _came.clear()
    with ExitStack() as afterwards:
        afterwards.callback(_came.clear)
        with suppress(ValueError):  # not the main thread
            for number in SIGNALS:
                afterwards.callback(signal.signal, number, signal.signal(number, noted))
        yield


def _in_an_event_loop(frame: FrameType | None) -> bool:
    """Whether what was interrupted was called by asyncio's loop, or is the loop."""
    while frame is not None:
        if frame.f_code is asyncio.BaseEventLoop.run_forever.__code__:
            return True
        frame = frame.f_back
    return False
