"""Every environment variable the site reads: typed, in one place, with unit and default.

A bad value is an `environs.EnvError` that names the variable. `.env.example` lists them all.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from environs import Env, EnvError, validate

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LOG_FORMATS = ("line", "json")
SHORTEST_TOKEN = 16  # characters; a shorter one could be tried out
SHORTEST_SECRET = 50  # characters; what `manage.py check --deploy` asks for

PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
"""Networks whose addresses nobody on the internet can have."""

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class S3:
    """Where recordings go that are not kept in a folder."""

    bucket: str
    endpoint: str
    region: str
    prefix: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


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
    trusted_proxies: int
    hsts_seconds: int
    login_failures: int
    login_lock_minutes: int
    guests_per_hour: int
    llm_hosts: list[str]
    guest_evolves_per_hour: int
    guest_evolves_per_day: int
    account_evolves_per_hour: int
    account_evolves_per_day: int
    players: int
    soundfont: Path | None
    evaluations_kept_days: int
    guests_kept_days: int
    api_requests_a_minute: int
    log_level: str
    log_format: str
    metrics_token: str
    metrics_host: str
    metrics_port: int
    role: str
    static_root: Path | None
    s3: S3 | None


def read() -> Environment:
    """The environment of this process. `.env` in the project's folder is read first, without overriding."""
    env = Env()
    env.read_env(str(ROOT / ".env"), recurse=False)
    state_folder = env.path("EVOMUSIC_STATE", default=ROOT / "var")
    host = env.str("HOST", default="127.0.0.1")
    debug = env.bool("DEBUG", default=False)
    allowed_hosts = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", host])
    deployed = not debug and any(map(is_public_name, allowed_hosts))
    if env.bool("EVOMUSIC_OWN_ADDRESSES", default=False):
        allowed_hosts = [*allowed_hosts, *private_hosts(_own_addresses())]
    return Environment(
        state_folder=state_folder,
        database_url=env.str("DATABASE_URL", default=""),
        redis_url=env.str("REDIS_URL", default=""),
        secret_key=_secret(env.str("SECRET_KEY", default=""), state_folder, deployed=deployed),
        debug=debug,
        host=host,
        port=env.int("PORT", default=8000, validate=validate.Range(min=1, max=65535)),
        allowed_hosts=allowed_hosts,
        trusted_origins=env.list("TRUSTED_ORIGINS", default=[]),
        secure_cookies=env.bool("SECURE_COOKIES", default=deployed),
        trusted_proxies=env.int("TRUSTED_PROXIES", default=int(deployed), validate=validate.Range(min=0, max=10)),
        hsts_seconds=env.int("HSTS_SECONDS", default=365 * 24 * 3600, validate=validate.Range(min=0)),
        login_failures=env.int("LOGIN_FAILURES", default=10, validate=validate.Range(min=1)),
        login_lock_minutes=env.int("LOGIN_LOCK_MINUTES", default=15, validate=validate.Range(min=1)),
        guests_per_hour=env.int("GUESTS_PER_HOUR", default=60, validate=validate.Range(min=0)),
        llm_hosts=env.list("LLM_HOSTS", default=["public" if deployed else "*"]),
        guest_evolves_per_hour=env.int("GUEST_EVOLVES_PER_HOUR", default=30, validate=validate.Range(min=0)),
        guest_evolves_per_day=env.int("GUEST_EVOLVES_PER_DAY", default=120, validate=validate.Range(min=0)),
        account_evolves_per_hour=env.int("ACCOUNT_EVOLVES_PER_HOUR", default=60, validate=validate.Range(min=0)),
        account_evolves_per_day=env.int("ACCOUNT_EVOLVES_PER_DAY", default=300, validate=validate.Range(min=0)),
        players=env.int("PLAYERS", default=0, validate=validate.Range(min=0)),
        soundfont=env.path("SOUNDFONT", default=None),
        evaluations_kept_days=env.int("EVALUATIONS_KEPT_DAYS", default=7, validate=validate.Range(min=0)),
        guests_kept_days=env.int("EVOMUSIC_GUESTS_KEPT_DAYS", default=0, validate=validate.Range(min=0, max=36500)),
        api_requests_a_minute=env.int("API_REQUESTS_A_MINUTE", default=300, validate=validate.Range(min=1)),
        log_level=env.str("LOG_LEVEL", default="INFO", validate=validate.OneOf(LOG_LEVELS)),
        log_format=env.str("EVOMUSIC_LOG_FORMAT", default="line", validate=validate.OneOf(LOG_FORMATS)),
        metrics_token=_token(env.str("EVOMUSIC_METRICS_TOKEN", default="")),
        metrics_host=env.str("EVOMUSIC_METRICS_HOST", default="127.0.0.1"),
        metrics_port=env.int("EVOMUSIC_METRICS_PORT", default=0, validate=validate.Range(min=0, max=65535)),
        role=env.str("EVOMUSIC_ROLE", default="command"),
        static_root=env.path("EVOMUSIC_STATIC", default=None),
        s3=_s3(env),
    )


def _s3(env: Env) -> S3 | None:
    """The bucket, where one is named. Raises EnvError for half a pair of keys; none at all means the machine's role."""
    bucket = env.str("EVOMUSIC_S3_BUCKET", default="")
    if not bucket:
        return None
    access_key = env.str("EVOMUSIC_S3_ACCESS_KEY", default="")
    secret_key = env.str("EVOMUSIC_S3_SECRET_KEY", default="")
    if bool(access_key) != bool(secret_key):
        there, lacking = ("ACCESS", "SECRET") if access_key else ("SECRET", "ACCESS")
        raise EnvError(f"EVOMUSIC_S3_{lacking}_KEY: expected with EVOMUSIC_S3_{there}_KEY, got none")
    return S3(
        bucket=bucket,
        endpoint=env.str("EVOMUSIC_S3_ENDPOINT", default=""),
        region=env.str("EVOMUSIC_S3_REGION", default=""),
        prefix=env.str("EVOMUSIC_S3_PREFIX", default="").strip("/"),
        access_key=access_key,
        secret_key=secret_key,
    )


def _token(given: str) -> str:
    """The token by which metrics are read. Raises EnvError for one that could be guessed; none at all is none."""
    if given and len(given) < SHORTEST_TOKEN:
        raise EnvError(f"EVOMUSIC_METRICS_TOKEN: expected {SHORTEST_TOKEN} or more characters, got {len(given)}")
    return given


def is_public_name(host: str) -> bool:
    """Whether a name of ALLOWED_HOSTS is one that strangers come by: a domain, or all of them.

    An address, a name without a dot and one of the local network (RFC 6762, RFC 2606) are none.
    """
    name = host.strip("[]").removeprefix(".").rstrip(".").lower()
    if name == "*":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." in name and name.rpartition(".")[2] not in ("local", "localhost", "internal", "test", "lan")
    return False


def private_hosts(addresses: Iterable[str]) -> list[str]:
    """Those of some IP addresses that belong to a private network (RFC 1918, RFC 4193), as a Host header has them."""
    private = [one for one in map(ipaddress.ip_address, sorted(addresses)) if any(one in net for net in PRIVATE)]
    return [f"[{one}]" if one.version == 6 else str(one) for one in private]


def _own_addresses() -> set[str]:
    """What this machine's, or this container's, name stands for; nothing where the name is unknown."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:
        return set()


def _secret(given: str, state_folder: Path, *, deployed: bool) -> str:
    """The secret that is given, else the one of this installation.

    Raises EnvError where strangers come and the secret is none, or not one that was drawn.
    """
    if not deployed:
        return given or _kept_secret(state_folder)
    if len(given) < SHORTEST_SECRET or len(set(given)) < 10 or given.startswith("django-insecure-"):
        raise EnvError(
            f"SECRET_KEY: expected {SHORTEST_SECRET} or more characters drawn at random, for ALLOWED_HOSTS names a "
            f"public host; got {'none' if not given else 'one that is easily guessed'}. Draw one with: "
            'python -c "import secrets; print(secrets.token_urlsafe(50))"'
        )
    return given


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
