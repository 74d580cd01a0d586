"""An experiment's configuration: the YAML's schema, its errors, its secrets and the files it points to.

Validating reads nothing but the text and needs no torch. `from evolution import config; config.load(path)`.
"""

from evolution.config import secrets
from evolution.config.faults import ConfigurationError, Fault
from evolution.config.paths import check_files, read_prompts, resolved
from evolution.config.reading import dump, load, parse, parse_text, to_yaml
from evolution.config.schema import (
    EMBEDDED_GENERATOR,
    Aligner,
    AudioEncoder,
    Configuration,
    Evolution,
    Fitness,
    LanguageModel,
    Logger,
    MusicGenerator,
    TrainConf,
    User,
    UserConf,
    UserModel,
)
from evolution.config.searching import (
    LLM_MODES,
    TEXT_MODES,
    VECTOR_MODES,
    GAOperator,
    LLMOperator,
    OperatorName,
    Search,
    input_types,
)
from evolution.config.sections import FitnessMode, InputType

__all__ = [
    "EMBEDDED_GENERATOR",
    "LLM_MODES",
    "TEXT_MODES",
    "VECTOR_MODES",
    "Aligner",
    "AudioEncoder",
    "Configuration",
    "ConfigurationError",
    "Evolution",
    "Fault",
    "Fitness",
    "FitnessMode",
    "GAOperator",
    "InputType",
    "LLMOperator",
    "LanguageModel",
    "Logger",
    "MusicGenerator",
    "OperatorName",
    "Search",
    "TrainConf",
    "User",
    "UserConf",
    "UserModel",
    "check_files",
    "dump",
    "input_types",
    "load",
    "parse",
    "parse_text",
    "read_prompts",
    "resolved",
    "secrets",
    "to_yaml",
]
