"""Kinds of fields that requests hold, stricter than JSON's own: what is let through can be stored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, Strict, StringConstraints

from listening.api import EARLIEST

LARGEST_ID = 2**63 - 1
LONGEST_HEARING = 24 * 3600.0  # seconds


def _as_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("expected a moment as a text in ISO 8601 with its time zone")
    return value


def _recent(moment: datetime) -> datetime:
    if moment < EARLIEST:
        raise ValueError(f"expected a moment since the year {EARLIEST.year}")
    return moment


Moment = Annotated[
    AwareDatetime, BeforeValidator(_as_text, json_schema_input_type=AwareDatetime), AfterValidator(_recent)
]
"""A text in ISO 8601 with its time zone; not a number, which would be read as seconds since 1970."""

Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
Seconds = Annotated[float, Strict(), Field(ge=0, le=LONGEST_HEARING, allow_inf_nan=False)]
Key = Annotated[int, Field(ge=1, le=LARGEST_ID)]

WITHOUT_NUL = r"^[^\x00]*$"
Text = Annotated[str, StringConstraints(pattern=WITHOUT_NUL)]
"""Without the character NUL, which no database keeps."""

PAGE = Query(1, ge=1, le=1_000_000)
"""The default of a parameter: which page, from 1."""

SEARCH = Query("", max_length=100, pattern=WITHOUT_NUL)
"""The default of a parameter: what is looked for."""
