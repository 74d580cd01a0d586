"""What answers tell: the API's resources. Nothing here says why a track is in a playlist, no more than the pages do."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class Fault(BaseModel):
    """What was wrong with a request."""

    error: str = Field(description="A sentence: what was expected and what came.")
    field: str | None = Field(None, description="The part of the request that is meant, if it is one.")


class Counts(BaseModel):
    playlists: int
    tracks: int
    liked: int
    disliked: int


class Me(BaseModel):
    """Who the token listens for."""

    listener: int
    name: str
    run: int
    status: str = Field(description="running, paused, stopped, done or failed.")
    counts: Counts


class Track(BaseModel):
    """A recording that was made for the listener."""

    id: uuid.UUID
    position: int = Field(description="Its place in its playlist, from 1.")
    title: str
    prompt: str = Field(description="The words that it was made from, or the nearest to them.")
    seconds: float
    audio_url: str
    download_url: str
    rating: int | None = Field(description="1 liked, -1 disliked, 0 taken back, null not rated.")
    never: bool = Field(description="Whether it was disliked as never again.")


class WholeTrack(Track):
    """A track with its outline and the playlist it is in."""

    playlist: uuid.UUID
    peaks: list[float] = Field(description="The waveform's outline, each in [0, 1].")


class Playlist(BaseModel):
    """Tracks in order."""

    id: uuid.UUID
    number: int
    made_at: datetime
    partner: str | None = Field(description="With whom it was made, where it was made for two.")
    tracks: list[Track]


class Playlists(BaseModel):
    """A page of playlists, the newest first."""

    page: int
    pages: int
    count: int
    playlists: list[Playlist]


class Progress(BaseModel):
    """How much of the newest playlist is liked or disliked; with `needed` of it the next round begins by itself."""

    rated: int
    needed: int
    evolving: bool


class RatingStored(Progress):
    track: uuid.UUID
    value: int


class RatingsStored(Progress):
    received: int
    stored: int = Field(description="How many were new.")


class ListensStored(BaseModel):
    received: int
    stored: int = Field(description="How many were new, long enough and not too many.")


class Queue(BaseModel):
    """A round's place among all that want the players, and how long that takes."""

    before: int = Field(description="How many others come before it: its place, from 0.")
    seconds: float | None = Field(
        description="Until what it asked for is played; null when nobody knows how long such music takes."
    )


class Round(BaseModel):
    """How far the next playlist is."""

    number: int
    status: str = Field(description="queued, waiting, learning, evolving, composing, done, failed or cancelled.")
    message: str
    generation: int
    generations: int
    best: list[float] = Field(description="The best fitness of each generation so far.")
    seconds_left: float | None
    queue: Queue | None = Field(
        description="Where it stands; null when it is over, or has nothing that waits for a player at this moment."
    )


class Evolving(BaseModel):
    """The round that was asked for."""

    round: Round


class State(BaseModel):
    """Where the listener is: the latest round, the newest playlist, how much of it is rated."""

    round: Round | None
    playlist: uuid.UUID | None
    rated: int
    needed: int


class Cancelled(State):
    """Whether a round was called off, and where the listener is now."""

    cancelled: bool = Field(description="False when none was being made, or its playlist was there already.")


class Wish(BaseModel):
    """What the listener said of a concept themselves."""

    kind: str
    wanted: float
    until: datetime | None


class Belief(BaseModel):
    """What is believed of the listener, and the tracks that it is read from."""

    name: str
    slot: str
    lean: float = Field(description="How much it is liked, in typical spreads of a likeness; below 0: disliked.")
    sure: float = Field(description="Probability that the sign of `lean` is right.")
    sentence: str
    confidence: str
    evidence: list[uuid.UUID]
    edit: Wish | None


class Taste(BaseModel):
    """What the listener's ratings have told so far."""

    made_at: datetime | None
    pending: bool = Field(description="Whether a newer report is being made.")
    ratings: int = Field(description="How many likes and dislikes it was learned from.")
    headline: str
    beliefs: list[Belief]
    proof: dict[str, Any] = Field(
        description="Whether what evolves is liked more than what does not; see docs/proof.md."
    )


class Experiment(BaseModel):
    """An experiment, and how many of its runs are in which state."""

    name: str
    author: str
    note: str
    is_open: bool = Field(description="Whether new listeners fall into it.")
    created_at: datetime
    mode: str = Field(description="The search.")
    fitness: str = Field(description="user, dynamic or music.")
    runs: dict[str, int] = Field(description="Status to number of runs.")
    best: float | None = Field(description="Mean over the runs of the best fitness of each.")


class Experiments(BaseModel):
    """A page of experiments, the newest first."""

    page: int
    pages: int
    count: int
    experiments: list[Experiment]


class RunLine(BaseModel):
    """A run in the list of its experiment."""

    id: int
    seed: int
    status: str
    rounds_done: int
    generations: int
    best: float | None


class WholeExperiment(Experiment):
    """An experiment with its configuration and a page of its runs."""

    configuration: str = Field(description="In YAML; what has its default is left out, and secrets are references.")
    page: int
    pages: int
    listed: list[RunLine] = Field(description="Its runs, the newest first.")


class Begun(BaseModel):
    """The runs that were begun, one for each listener."""

    runs: list[int]


class Steered(BaseModel):
    """How many runs were in a state for what was asked, and did it."""

    changed: int


class Pulse(BaseModel):
    """How far a run is; the keys of `progress`, `totals` and `rounds` are those of the run's page."""

    run: dict[str, Any]
    progress: dict[str, Any]
    totals: dict[str, Any]
    rounds: list[dict[str, Any]]


class RunSteered(BaseModel):
    """Whether the run was in a state for what was asked, and the state it is in now."""

    id: int
    status: str
    changed: bool


Action = Literal["pause", "resume", "stop"]
