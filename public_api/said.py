"""What requests say: the bodies of the API, checked."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from ninja import Body
from pydantic import BaseModel, ConfigDict, Field

from evolution import runs
from laboratory import experiments
from listening.api import MOST_LISTENS
from public_api.fields import Flag, Moment, Seconds, Text, Whole

MOST_RATINGS = 100
LARGEST_NUMBER = 999_999_999
LONGEST_CONFIGURATION = 200_000  # characters


class Said(BaseModel):
    """A body: a key that nobody knows is a mistake of whoever sends it."""

    model_config = ConfigDict(extra="forbid")


class Opinion(Said):
    """What is thought of a track. A later one of the same track replaces it; none is ever lost."""

    track: uuid.UUID = Field(description="The track's id.")
    value: Annotated[Whole, Field(ge=-1, le=1)] = Field(description="1 like, -1 dislike, 0 no opinion.")
    never: Flag = Field(False, description="With -1: never again.")
    seconds: Seconds = Field(0.0, description="How much of it was heard before, in seconds.")
    given_at: Moment | None = Field(None, description="When it was given; absent: now.")


class IdentifiedOpinion(Opinion):
    """An opinion with its id, drawn by the sender."""

    id: uuid.UUID = Field(description="Drawn by the sender, so that sending twice stores once.")


class Hearing(Said):
    """How much of a track was heard, and how that ended."""

    id: uuid.UUID = Field(description="Drawn by the sender, so that sending twice stores once.")
    track: uuid.UUID = Field(description="The track's id.")
    ending: Literal["finished", "skipped", "left"]
    seconds: Seconds = Field(description="How much of it was heard, in seconds.")
    given_at: Moment | None = Field(None, description="When it ended; absent: now.")


Opinions = Annotated[list[IdentifiedOpinion], Body(min_length=1, max_length=MOST_RATINGS)]
Hearings = Annotated[list[Hearing], Body(min_length=1, max_length=MOST_LISTENS)]


class NewExperiment(Said):
    """An experiment to be made."""

    configuration: Annotated[Text, Field(min_length=1, max_length=LONGEST_CONFIGURATION)] = Field(
        description="Its configuration in YAML, as docs/configuration.md says; files as on the panel."
    )
    name: Annotated[Text, Field(max_length=40)] = Field("", description="Absent: exp_name. A taken one gets a number.")
    note: Annotated[Text, Field(max_length=10_000)] = Field("", description="What to write down about it.")


class Beginning(Said):
    """Who listens: reference listeners by number, or so many drawn by the seed; one of the two."""

    listeners: list[Annotated[Whole, Field(ge=0, le=LARGEST_NUMBER)]] | None = Field(
        None, min_length=1, max_length=experiments.MOST_LISTENERS, description="Numbers of reference listeners."
    )
    count: Annotated[Whole, Field(ge=1, le=experiments.MOST_LISTENERS)] | None = Field(
        None, description="Or how many to draw."
    )
    seed: Annotated[Whole, Field(ge=0, le=runs.LARGEST_SEED)] = Field(description="Of the runs and of the draw.")
