"""The schema of an experiment's configuration. Validating reads nothing and needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from evolution.config.faults import Contradiction
from evolution.config.searching import LLM_MODES, Search, input_types
from evolution.config.sections import (
    EMPTY_IS_DEFAULT,
    Address,
    Count,
    Device,
    FilePath,
    FitnessMode,
    Init,
    Initialization,
    InputType,
    Learner,
    MusicSeconds,
    Name,
    OptionalText,
    Seconds,
    SecretReference,
    Section,
    UserType,
    Weight,
    folded,
)

EMBEDDED_GENERATOR: Literal["soundfont"] = "soundfont"

Generator = Literal[
    "soundfont", "musicgen", "riffusion", "musicldm", "audioldm2", "stable-audio", "stable-audio-3", "ace-step"
]
GeneratorName = Annotated[Generator, folded(*get_args(Generator))]
Encoder = Literal["spectral", "mert", "clap"]
EncoderName = Annotated[Encoder, folded(*get_args(Encoder))]


class MusicGenerator(Section):
    """What makes the music: `riffusion_pipeline` for riffusion, `music_generator` for every other model."""

    model: OptionalText = Field(
        default=None, description="The weights, by their name on the hub or as a folder, for a generator that has some."
    )
    input_type: InputType | None = Field(
        default=None,
        description="What is evolved and played; absent: what the search mode makes. "
        "`embedding`, `token_embedding` and `token_embdedding` are read too.",
    )
    output_dir: OptionalText = Field(
        default=None, description="Read for the prototype's files; `evolve --out` says where the results go."
    )
    name: OptionalText = Field(default=None, description="Read for the prototype's files; `music_model` chooses.")
    inference_steps: Count | None = Field(default=None, description="Steps of a diffusion; absent: the model's own.")
    device: Device | None = Field(default=None, description="Where it runs; absent: a GPU where there is one.")


class AudioEncoder(Section):
    """What hears the music, where `music_encoder` names one with weights."""

    model: OptionalText = Field(
        default=None, description="The weights, by their name on the hub or as a folder, for mert and clap."
    )
    device: Device | None = Field(default=None, description="Where it runs; absent: a GPU where there is one.")


class Aligner(Section):
    """The model of what listeners like."""

    abs_file_path: FilePath = Field(
        default=None,
        description="An aligner's checkpoint, ours or the prototype's; absent: the one in `aligner/` for the encoder.",
    )


class UserConf(Section):
    """What a taste is learned from, and where it starts."""

    memory_length: Count = Field(
        default=50, description="Rounds whose ratings count.", json_schema_extra={"unit": "rounds"}
    )
    amount: Count = Field(default=1, description="Listeners; when `users` are given, as many as those.")
    init: Init = Field(
        default="mean",
        description="Where a taste starts: the mean of the reference listeners, at random (`random` is read too), "
        "or the mean with noise.",
    )
    rmean: Weight = Field(default=0.1, description="How much noise `rmean` has.")
    minibatch: bool = Field(default=False, description="Learn from a few ratings at a time instead of from all.")


class TrainConf(Section):
    """How a taste is learned from the memory."""

    lr: Annotated[float, Field(gt=0.0)] = Field(default=0.05, description="The learning rate.")
    epochs: Count = Field(default=50, description="Passes over the memory.")
    learner: Learner = Field(
        default="infonce",
        description="How it is learned: by gradient steps on a user embedding (`lr`, `epochs`), or as a posterior, "
        "which needs neither and knows what it does not know.",
    )


class User(Section):
    """One listener of the experiment."""

    user_type: UserType = Field(description="`synth`: one of the aligner's reference listeners; `real`: a person.")
    target_user_id: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, description="The reference listener's number in the aligner's table, from 0."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """A synthetic listener is one of the table."""
        if self.user_type == "synth" and self.target_user_id is None:
            yield Contradiction(("target_user_id",), "expected the number of a reference listener for synth, got none")


class UserModel(Section):
    """The listeners, their tastes and their playlists."""

    aligner: Aligner = Aligner()
    user_conf: UserConf = UserConf()
    train_conf: TrainConf = TrainConf()
    best_solutions: Count = Field(default=8, description="Length of a playlist.", json_schema_extra={"unit": "tracks"})
    sample: bool = Field(
        default=False,
        description="Draw the playlist by rank (probability proportional to 1 / rank) instead of taking the best.",
    )
    proof: bool = Field(
        default=False,
        description="Put a track that was not made for this listener into each playlist, and now and then one that "
        "was heard before, unmarked: what is liked of them shows whether the taste was learned.",
    )
    users: Annotated[tuple[User, ...], EMPTY_IS_DEFAULT, Field(strict=False)] = Field(
        default=(), description="Who listens; none: whoever is assigned when the experiment is started."
    )

    @model_validator(mode="before")
    @classmethod
    def _amount_of_the_users(cls, value: Any) -> Any:
        """Where only the users are written, they say how many there are."""
        if not isinstance(value, Mapping) or not isinstance(value.get("users"), list | tuple) or not value["users"]:
            return value
        conf = value.get("user_conf") or {}
        if not isinstance(conf, Mapping) or "amount" in conf:
            return value
        return {**value, "user_conf": {**conf, "amount": len(value["users"])}}

    def contradictions(self) -> Iterator[Contradiction]:
        """The users are as many as they are said to be."""
        if self.users and self.user_conf.amount != len(self.users):
            yield Contradiction(
                ("user_conf", "amount"),
                f"expected {len(self.users)}, one for each of users, got {self.user_conf.amount}",
            )


class Logger(Section):
    """Where the figures of a run are sent beside its own files."""

    wandb: bool = Field(default=False, description="Log to Weights & Biases; without a token by its own login.")
    tensorboard: bool = Field(default=False, description="Write TensorBoard's event files.")
    project: Name = Field(default="EvoMusic", description="The project's name there.")
    wandb_token: SecretReference = Field(default=None, description="Weights & Biases' key, as `${WANDB_API_KEY}`.")
    visualizations: bool = Field(
        default=False, description="Send the best music of each generation and the plots to the trackers too."
    )
    delete_generated: bool = Field(
        default=True,
        description="Keep no sound of candidates; `false`: `evolve` leaves all of it in `generated/`.",
    )


class LanguageModel(Section):
    """A language model behind an OpenAI-compatible address, hosted or local."""

    api_key: SecretReference = Field(
        default=None, description="Its key, as `${LLM_API_KEY}`; absent: the endpoint asks for none."
    )
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] = Field(default=0.7, description="Of its answers.")
    model: Name = Field(default="gpt-4o-mini", description="The model's name at that address.")
    api_uri: Address = Field(
        default="https://api.openai.com/v1",
        description="The base address, or the full one that ends in `/chat/completions`. Prompts are sent there.",
    )
    concurrency: Count = Field(default=48, description="Requests at a time.", json_schema_extra={"unit": "requests"})
    timeout: Seconds = Field(default=120.0, description="How long an answer may take.")
    retries: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=4, description="How often a failed or malformed answer is asked for again."
    )


class Fitness(Section):
    """fitness = likeness - noise_weight * artefacts; likeness in [-1, 1], artefacts in [0, 1]."""

    mode: FitnessMode = Field(
        default="dynamic",
        description="What is liked: what a reference listener likes (`user`), what sounds like a file (`music`), "
        "or what the learned taste likes (`dynamic`).",
    )
    target_music: FilePath = Field(default=None, description="music: the sound to come close to.")
    noise_weight: Weight = Field(
        default=0.5,
        description="How much the faults of the sound count. 0 suits the LLM modes: they cannot hear them.",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """The mode has its target."""
        if self.mode == "music" and self.target_music is None:
            yield Contradiction(("target_music",), "expected an audio file for fitness.mode 'music', got none")


class Evolution(Section):
    """The search, what it starts from and what it looks for."""

    exp_name: Name = Field(default="listening", description="The experiment's name.")
    generations: Count = Field(default=3, description="Generations in each round.")
    max_seq_len: Annotated[int, Field(ge=1, le=512)] = Field(
        default=25,
        description="Length of a token or embedding genome, start and end token included.",
        json_schema_extra={"unit": "tokens"},
    )
    duration: MusicSeconds = Field(default=4.0, description="Length of a candidate's music.")
    best_duration: MusicSeconds = Field(default=12.0, description="Length of a track that a listener hears.")
    device: Device = Field(default="cpu", description="Where evotorch computes.")
    initialization: Initialization | None = Field(
        default=None,
        description="What the first population is made of: the lines of `init_file`, or prompts by the `LLM`; "
        "absent: prompts drawn from the words that the generator knows.",
    )
    init_file: FilePath = Field(default=None, description="Prompts, one a line; lines that begin with # are skipped.")
    logger: Logger = Logger()
    LLM: LanguageModel | None = Field(
        default=None, description="Needed by full LLM, LLM evolve and `initialization: LLM`."
    )
    fitness: Fitness = Fitness()
    search: Search = Search()

    def contradictions(self) -> Iterator[Contradiction]:
        """The search and the first population have what they are made with."""
        if self.search.mode in LLM_MODES and self.LLM is None:
            yield Contradiction(("LLM",), f"expected a section for search.mode {self.search.mode!r}, got none")
        elif self.initialization == "LLM" and self.LLM is None:
            yield Contradiction(("LLM",), "expected a section for initialization 'LLM', got none")
        if self.initialization == "file" and self.init_file is None:
            yield Contradiction(("init_file",), "expected a file of prompts for initialization 'file', got none")
        if self.initialization is None and self.init_file is not None:
            yield Contradiction(("init_file",), "expected initialization 'file' beside it, got none")


class Configuration(Section):
    """An experiment. The defaults are the listening demo."""

    epochs: Count = Field(
        default=1,
        description="Rounds: each ends with a playlist and its ratings.",
        json_schema_extra={"unit": "rounds"},
    )
    music_model: GeneratorName = Field(default=EMBEDDED_GENERATOR, description="The generator.")
    music_encoder: EncoderName = Field(default="spectral", description="What hears the music.")
    music_generator: MusicGenerator = MusicGenerator()
    riffusion_pipeline: MusicGenerator = MusicGenerator()
    encoder: AudioEncoder = AudioEncoder()
    user_model: UserModel = UserModel()
    evolution: Evolution = Evolution()

    @property
    def instrument(self) -> MusicGenerator:
        """The section of the generator in use."""
        return self.riffusion_pipeline if self.music_model == "riffusion" else self.music_generator

    @property
    def input_type(self) -> Literal["text", "token_embeddings", "embeddings"]:
        """What kind of genome is played: as configured, else what the search mode makes."""
        return self.instrument.input_type or input_types(self.evolution.search.mode)[0]

    def contradictions(self) -> Iterator[Contradiction]:
        """The search makes what the generator plays, and the fitness knows whom it is to please."""
        section = "riffusion_pipeline" if self.music_model == "riffusion" else "music_generator"
        search, known = self.evolution.search, input_types(self.evolution.search.mode)
        if self.input_type not in known:
            yield Contradiction(
                (section, "input_type"),
                f"expected {' or '.join(known)} for evolution.search.mode {search.mode!r}, got {self.input_type!r}",
            )
        elif search.snap and self.input_type == "embeddings":
            yield Contradiction(
                (section, "input_type"), "expected token_embeddings for evolution.search.snap, got 'embeddings'"
            )
        if self.evolution.fitness.mode == "user":
            for place, user in enumerate(self.user_model.users):
                if user.target_user_id is None:
                    yield Contradiction(
                        ("user_model", "users", place, "target_user_id"),
                        "expected the number of a reference listener for fitness.mode 'user', got none",
                    )
