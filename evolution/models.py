"""What the search did: experiments, runs, rounds, generations, candidates, and what was heard of them."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Experiment(models.Model):
    """A validated configuration, under a name."""

    name = models.SlugField(unique=True)
    configuration = models.JSONField(help_text="As evolution.config gives it; never holds a secret.")
    prompts = models.JSONField(default=list, blank=True, help_text="The lines of init_file as they were then.")
    author = models.CharField(max_length=150, blank=True)
    note = models.TextField(blank=True)
    is_open = models.BooleanField(default=False, help_text="Whether new listeners may be assigned to it.")
    weight = models.FloatField(default=1.0, help_text="Its share of new listeners beside the other open ones.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(weight__gt=0), name="weight_is_positive")]

    def __str__(self) -> str:
        return self.name


class Run(models.Model):
    """One listener going through one experiment. `searcher_state` is the searcher after its last generation."""

    class Status(models.TextChoices):
        RUNNING = "running"
        PAUSED = "paused"
        STOPPED = "stopped"
        DONE = "done"
        FAILED = "failed"

    class Conductor(models.TextChoices):
        SERVICE = "service"
        COMMAND = "command"

    experiment = models.ForeignKey(Experiment, on_delete=models.PROTECT, related_name="runs")
    seed = models.BigIntegerField()
    status = models.CharField(max_length=8, choices=Status, default=Status.RUNNING)
    message = models.TextField(blank=True, help_text="Why it failed.")
    rounds_planned = models.PositiveIntegerField(null=True, blank=True, help_text="None: as long as it is asked to.")
    conductor = models.CharField(
        max_length=8,
        choices=Conductor,
        default=Conductor.SERVICE,
        help_text="Who takes its rounds up: the service, or the command that began it.",
    )
    searcher_state = models.BinaryField(default=b"", editable=False)
    first_prompts = models.JSONField(default=list, blank=True, help_text="What a language model wrote to begin with.")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["status"])]

    def __str__(self) -> str:
        return f"{self.experiment} #{self.pk}"


class Round(models.Model):
    """Evolve, make a playlist, collect feedback, refine the taste: one turn of the loop."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        LEARNING = "learning"
        EVOLVING = "evolving"
        COMPOSING = "composing"
        DONE = "done"
        FAILED = "failed"
        STOPPED = "stopped"
        CANCELLED = "cancelled"

    PENDING = (Status.QUEUED, Status.LEARNING, Status.EVOLVING, Status.COMPOSING)

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED)
    generations_planned = models.PositiveIntegerField()
    message = models.TextField(blank=True, help_text="Why it failed: a sentence for the listener.")
    requested_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="one_round_per_number"),
            models.UniqueConstraint(
                fields=["run"],
                condition=models.Q(status__in=["queued", "learning", "evolving", "composing"]),
                name="one_pending_round_per_run",
            ),
        ]
        indexes = [models.Index(fields=["status"])]

    def __str__(self) -> str:
        return f"{self.run} round {self.number}"


class Evaluation(models.Model):
    """What was heard when a genome was played; stored under the hash of all that it depends on."""

    key = models.CharField(max_length=64, primary_key=True)
    embedding = models.BinaryField(help_text="float32, little endian, [layers, dim] row by row.")
    layers = models.PositiveSmallIntegerField()
    dim = models.PositiveIntegerField()
    artefacts = ArrayField(models.FloatField(), help_text="In the order of models_store.artefacts.NAMES, in [0, 1].")
    seconds = models.FloatField(default=0.0, help_text="A player's time for it.")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.key[:12]


class Recording(models.Model):
    """A genome played for people: a file, its outline, and the evaluation of what is in the file."""

    key = models.CharField(max_length=64, primary_key=True)
    evaluation = models.OneToOneField(Evaluation, on_delete=models.PROTECT, related_name="recording")
    file = models.FileField(upload_to="recordings/")
    seconds = models.FloatField()
    loudness = models.FloatField(help_text="LUFS")
    peaks = ArrayField(models.FloatField(), help_text="The waveform's outline, each in [0, 1].")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.key[:12]


class Generation(models.Model):
    """One step of the searcher."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="generations")
    number = models.PositiveIntegerField()
    best = models.FloatField()
    mean = models.FloatField()
    median = models.FloatField()
    worst = models.FloatField()
    seconds = models.FloatField(help_text="Wall-clock time of the step.")
    player_seconds = models.FloatField(default=0.0, help_text="The players' time for what was played in it.")
    played = models.PositiveIntegerField(default=0, help_text="How many genomes were played in it.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["round", "number"], name="one_generation_per_number")]

    def __str__(self) -> str:
        return f"{self.round} generation {self.number}"


class Candidate(models.Model):
    """One member of a population, as it was scored then."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    generation = models.ForeignKey(Generation, on_delete=models.CASCADE, related_name="candidates")
    position = models.PositiveIntegerField()
    prompt = models.TextField(help_text="The text played, or the nearest text of an evolved embedding.")
    genome = models.JSONField(help_text="A prompt, or {shape, float32} of an embedding.")
    seed = models.BigIntegerField()
    parents = ArrayField(models.IntegerField(), default=list, help_text="Positions in the generation before.")
    operators = ArrayField(models.CharField(max_length=80), default=list)
    elite = models.BooleanField(default=False)
    evaluation = models.ForeignKey(Evaluation, null=True, on_delete=models.SET_NULL, related_name="candidates")
    fitness = models.FloatField()
    likeness = models.FloatField()
    artefacts = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["generation", "position"], name="one_candidate_per_position")]

    def __str__(self) -> str:
        return f"{self.generation} candidate {self.position}"


class WaitingChunk(models.Model):
    """Music that a player shall make: the row goes when it is made. Who makes it holds the claim of its name."""

    class Kind(models.TextChoices):
        EVALUATIONS = "evaluations"
        RECORDINGS = "recordings"
        FILES = "files"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, null=True, on_delete=models.CASCADE, related_name="waiting", help_text="For whom.")
    kind = models.CharField(max_length=12, choices=Kind)
    instruments = models.JSONField()
    seconds = models.FloatField(help_text="The length of every piece.")
    items = models.JSONField(help_text="Key, genome and seed of each, or key and file.")
    size = models.PositiveIntegerField(help_text="How many items.")
    alike = models.CharField(max_length=64, help_text="The hash of all that chunks must share to be played together.")
    unheard = models.FloatField(default=0.0, help_text="Seconds of music that its listener had left to hear.")
    reply = models.CharField(max_length=64, help_text="The list in Redis by which its conductor is told to look.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How many players took it since it moved last.")
    error = models.TextField(blank=True, help_text="Why it could not be played: for its conductor, who takes it away.")
    asked_at = models.DateTimeField(auto_now_add=True)
    taken_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["reply"])]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """What its claim is called."""
        return f"chunk:{self.pk}"


class PlayerTime(models.Model):
    """What a player did for somebody: kept for as long as it counts, and to know how long music takes."""

    run = models.ForeignKey(Run, null=True, on_delete=models.CASCADE, related_name="player_time")
    kind = models.CharField(max_length=12, choices=WaitingChunk.Kind)
    alike = models.CharField(max_length=64)
    played = models.PositiveIntegerField(help_text="How many items.")
    seconds = models.FloatField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["at"])]

    def __str__(self) -> str:
        return f"{self.played} in {self.seconds:.1f} s"
