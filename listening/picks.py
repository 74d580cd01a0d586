"""What was chosen for a playlist, before it is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evolution import genomes
from evolution.models import Candidate, Evaluation, Recording
from evolution.takes import Take
from listening.models import PlaylistTrack, Track

Role = PlaylistTrack.Role


@dataclass(frozen=True)
class Pick:
    """A place in a playlist: why it is there, and what is to be heard.

    recording: what is recorded already; else `take` says what has to be.
    candidate: whose music it is; None: nobody evolved it. repeats: the track whose music comes once more.
    """

    role: Role
    prompt: str
    take: Take | None = None
    recording: Recording | None = None
    candidate: Candidate | None = None
    repeats: Track | None = None

    def __post_init__(self) -> None:
        if (self.take is None) == (self.recording is None):
            raise ValueError("Pick: expected a take or a recording, got both or none of them")

    @property
    def evaluation(self) -> Evaluation | None:
        """What was heard of it: of its candidate, else of the recording; None: nobody has heard it yet."""
        if self.candidate is not None and self.candidate.evaluation is not None:
            return self.candidate.evaluation
        return None if self.recording is None else self.recording.evaluation


def of_candidate(candidate: Candidate, *, seconds: float, role: Role = Role.EVOLVED) -> Pick:
    """A candidate, to be recorded for so many seconds."""
    take = Take(genome=genomes.from_json(candidate.genome), seed=candidate.seed, seconds=seconds)
    return Pick(role=role, prompt=candidate.prompt, take=take, candidate=candidate)


def of_track(track: Track, *, role: Role, repeats: Track | None = None) -> Pick:
    """The music of a track that is there already."""
    return Pick(role=role, prompt=track.prompt, recording=track.recording, candidate=track.candidate, repeats=repeats)


def evaluations(chosen: Sequence[Pick]) -> list[Evaluation]:
    """What was heard of them, as far as somebody has."""
    return [one.evaluation for one in chosen if one.evaluation is not None]
