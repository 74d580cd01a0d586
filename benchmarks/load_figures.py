"""What the load test is asked for, and the rows of what it measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from benchmarks.load_listeners import AT_ONCE, quantile

MOST_MILLISECONDS = 100.0
"""Of 95 % of the requests."""
BURST = 4
"""Messages to everybody at once, at the end."""
TRACK_SECONDS, PLAYLIST_SECONDS = 12.0, 96.0
MESSAGES_EACH = 6
"""Messages that a round sends to its listener: begun, learning, three generations, the playlist."""


@dataclass(frozen=True)
class Options:
    """The command line."""

    listeners: int = 500
    ratings: float = 100.0
    seconds: float = 60.0
    web: int = 1
    playlists: int = 3
    seed: int = 1
    search: bool = True

    def command(self) -> str:
        """The command line that measures the same."""
        told = [f"--{one.name} {getattr(self, one.name):g}" for one in fields(self) if one.name != "search"]
        return " ".join(["python -m benchmarks.load", *told, *([] if self.search else ["--no-search"])])

    def rates(self, factor: float = 1.0) -> dict[str, float]:
        """Requests a second by kind: beside the ratings, what so many do who listen without a pause."""
        others = self.listeners / PLAYLIST_SECONDS
        rates = {"rating": self.ratings, "sound": self.listeners / TRACK_SECONDS, "playlist": others, "page": others}
        return {kind: factor * rate for kind, rate in rates.items()}

    def messages(self, factor: float = 1.0) -> float:
        """Messages a second from outside."""
        return factor * self.listeners * MESSAGES_EACH / PLAYLIST_SECONDS


def rows(options: Options, measured: dict[str, Any]) -> list[dict[str, Any]]:
    """Name, value, unit, goal, met and command of everything measured."""
    command = options.command()
    found = [*_times(options, measured["main"]), *_losses(measured), *_sizes(options, measured)]
    found += [_row(f"processor: {kind}", used, "cores") for kind, used in measured["main"]["cores"].items()]
    if "search" in measured:
        factor = measured["search"]["factor"]
        found += [
            _row(f"borne by {options.web} web process(es): ratings", factor * options.ratings, "/s"),
            _row("the same: all requests", sum(options.rates(factor).values()), "/s"),
            _row("the same: messages", options.messages(factor), "/s"),
            _row(f"beyond that: {measured['search']['limit']}", measured["search"]["failed"]["cores"]["web"], "cores"),
        ]
    return [{**row, "command": command} for row in found]


def _times(options: Options, main: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind, told in main["kinds"].items():
        yield _row(f"{kind}: rate achieved (asked for {options.rates()[kind]:.1f})", told["rate"], "/s")
        yield _row(f"{kind}: errors of {told['asked']}", told["errors"], "", most=0)
        if not told["answered"]:
            continue
        for name in ("p50", "p95", "p99", "max"):
            yield _row(f"{kind}: {name}", told[name], "ms", most=MOST_MILLISECONDS if name == "p95" else None)


def _losses(measured: dict[str, Any]) -> Iterator[dict[str, Any]]:
    stored, told, during = measured["kept"], measured["messages"], measured["messages"]["milliseconds"]
    yield _row(f"ratings acknowledged and not stored, of {stored['acknowledged']}", stored["missing"], "", most=0)
    yield _row("ratings stored as something else", stored["other"], "", most=0)
    yield _row(f"messages to sockets lost, of {told['sent']}", told["lost"], "", most=0)
    yield _row("messages that came twice", told["twice"], "", most=0)
    yield _row("messages that came to somebody else", told["astray"], "", most=0)
    yield _row("messages until heard: p50", quantile(during, 0.5), "ms")
    yield _row("messages until heard: p95", quantile(during, 0.95), "ms")
    yield _row(f"{BURST} messages to everybody at once: until all were heard", measured["burst"], "s")
    yield _row(f"rounds begun by ratings; {stored['queued']} Celery messages wait", stored["rounds"], "")
    yield _row("rounds begun that no socket was told of", stored["rounds"] - measured["begun"], "", most=0)


def _sizes(options: Options, measured: dict[str, Any]) -> Iterator[dict[str, Any]]:
    opened = measured["opened"]
    yield _row(f"sockets open at the end, of {options.listeners}", measured["open"], "", least=options.listeners)
    yield _row(f"{options.listeners} pages loaded, {AT_ONCE} at once", opened["pages"], "s")
    yield _row(f"{options.listeners} sockets opened, {AT_ONCE} at once", opened["sockets"], "s")
    yield _row("memory of the web process before the first socket", opened["before"] / 1e6, "MB")
    yield _row("memory per socket", (opened["after"] - opened["before"]) / options.listeners / 1e3, "kB")
    yield _row("memory of the web process after the load", opened["played"] / 1e6, "MB")


def _row(
    name: str, value: float, unit: str, *, most: float | None = None, least: float | None = None
) -> dict[str, Any]:
    goal = f"<= {most:g}" if most is not None else f">= {least:g}" if least is not None else ""
    met = not goal or (value <= most if most is not None else value >= (least or 0))
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": goal, "met": bool(met)}
