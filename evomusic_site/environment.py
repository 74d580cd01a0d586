"""Every environment variable the site reads: typed, in one place, with unit and default.

A bad value is an `environs.EnvError` that names the variable. `.env.example` lists them all.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from environs import Env, validate

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Environment:
    """What the site was told by its environment."""

    state_folder: Path
    database_url: str
    redis_url: str
    secret_key: str
    debug: bool
    host: str
    port: int
    allowed_hosts: list[str]
    trusted_origins: list[str]
    secure_cookies: bool
    players: int
    soundfont: Path | None
    evaluations_kept_days: int
    log_level: str
    role: str


def read() -> Environment:
    """The environment of this process. `.env` in the project's folder is read first, without overriding."""
    env = Env()
    env.read_env(str(ROOT / ".env"), recurse=False)
    state_folder = env.path("EVOMUSIC_STATE", default=ROOT / "var")
    host = env.str("HOST", default="127.0.0.1")
    return Environment(
        state_folder=state_folder,
        database_url=env.str("DATABASE_URL", default=""),
        redis_url=env.str("REDIS_URL", default=""),
        secret_key=env.str("SECRET_KEY", default="") or _kept_secret(state_folder),
        debug=env.bool("DEBUG", default=False),
        host=host,
        port=env.int("PORT", default=8000, validate=validate.Range(min=1, max=65535)),
        allowed_hosts=env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", host]),
        trusted_origins=env.list("TRUSTED_ORIGINS", default=[]),
        secure_cookies=env.bool("SECURE_COOKIES", default=False),
        players=env.int("PLAYERS", default=0, validate=validate.Range(min=0)),
        soundfont=env.path("SOUNDFONT", default=None),
        evaluations_kept_days=env.int("EVALUATIONS_KEPT_DAYS", default=7, validate=validate.Range(min=0)),
        log_level=env.str("LOG_LEVEL", default="INFO", validate=validate.OneOf(LOG_LEVELS)),
        role=env.str("EVOMUSIC_ROLE", default="command"),
    )


def _kept_secret(state_folder: Path) -> str:
    """A secret of this installation: made once, readable by its owner alone."""
    path = state_folder / "secret_key"
    if not path.exists() or not path.stat().st_size:
        state_folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")  # whole or not at all, also on a full disk
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        draft.replace(path)
    return path.read_text()
