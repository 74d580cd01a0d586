"""Whose work a line of the log is about: ids that are set where work begins and read wherever something is logged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field

NAMES = ("run", "round", "listener", "user", "request", "task", "chunk")
"""In the order in which lines tell them."""

CARRIED = ("run", "round", "listener", "request")
"""What a task inherits from whoever sent it."""

Id = int | str


def _nobody() -> dict[str, Id]:
    return {}


@dataclass
class Known:
    """What is known of the work at hand. Shared by the threads that a request goes through, and added to there.

    who: the ids of whoever asked, as far as they were looked up already; it never asks the database.
    """

    ids: dict[str, Id] = field(default_factory=dict)
    who: Callable[[], dict[str, Id]] = _nobody


_KNOWN: ContextVar[Known | None] = ContextVar("evomusic_known", default=None)


def begin(ids: dict[str, Id], *, who: Callable[[], dict[str, Id]] = _nobody) -> Token[Known | None]:
    """From here on, in this thread and those it waits for, these ids are known beside the ones that were.

    Raises ValueError for a name that is not among NAMES.
    """
    if unknown := set(ids) - set(NAMES):
        raise ValueError(f"ids: expected some of {', '.join(NAMES)}, got {', '.join(sorted(unknown))}")
    outer = _KNOWN.get()
    return _KNOWN.set(Known({**(outer.ids if outer else {}), **ids}, who))


def end(token: Token[Known | None]) -> None:
    """As it was before the `begin` that gave this token."""
    _KNOWN.reset(token)


@contextmanager
def knowing(ids: dict[str, Id], *, who: Callable[[], dict[str, Id]] = _nobody) -> Iterator[None]:
    """`begin` and `end` around a block."""
    token = begin(ids, who=who)
    try:
        yield
    finally:
        end(token)


def note(ids: dict[str, Id]) -> None:
    """More became known of the work at hand, until it is over."""
    known = _KNOWN.get()
    if known is not None:
        known.ids.update(ids)


def current() -> dict[str, Id]:
    """The ids that are known here, in the order of NAMES."""
    known = _KNOWN.get()
    if known is None:
        return {}
    ids = {**known.who(), **known.ids}
    return {name: ids[name] for name in NAMES if name in ids}
