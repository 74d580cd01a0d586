"""Django's settings. What differs between machines comes from `environment`."""

from __future__ import annotations

import os
from datetime import timedelta
from urllib.parse import parse_qs, unquote, urlsplit

from celery.schedules import crontab

from evomusic_site import environment, logs, media, schedules
from evomusic_site.admin_theme import UNFOLD as UNFOLD

ENVIRONMENT = environment.read()
BASE_DIR = environment.ROOT
STATE_FOLDER = ENVIRONMENT.state_folder

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = ENVIRONMENT.allowed_hosts
CSRF_TRUSTED_ORIGINS = ENVIRONMENT.trusted_origins

INSTALLED_APPS = [
    "unfold",  # the admin's theme; before it
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "axes",  # counts logins that fail
    "evolution",
    "listening",
    "laboratory",
    "public_api",
    "evomusic_site",  # for its commands
]

MIDDLEWARE = [
    "evomusic_site.measuring.measure",  # outermost: it times all the others
    "evomusic_site.middleware.content_security_policy",  # outside of all that answers
    "public_api.middleware.faults_as_json",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "evomusic_site.urls"
ASGI_APPLICATION = "evomusic_site.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def _database(url: str) -> dict[str, object]:
    """A postgresql:// address, with a host or with a Unix socket's folder in `?host=`, as Django wants it."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "postgres",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.get("host", [parts.hostname or ""])[0],
        "PORT": str(parts.port or ""),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "application_name": f"evomusic {ENVIRONMENT.role} {os.getpid()}",  # whose connections and claims they are
            "pool": {"min_size": 1, "max_size": 24, "timeout": 5},
        },
    }


# Empty while a command runs that needs no database; `manage.py` starts the embedded one for those that do.
DATABASES = {"default": _database(ENVIRONMENT.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = ENVIRONMENT.redis_url

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        # A socket with nothing to hear blocks for 5 s at a time: Redis must be given longer than that to answer.
        # Messages wait in one line for all sockets of a web process; what is beyond the capacity is dropped.
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": 30}], "capacity": 10_000, "expiry": 30},
    },
}

AUTH_USER_MODEL = "listening.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "listening:login"
LOGIN_REDIRECT_URL = "listening:listen"
LOGOUT_REDIRECT_URL = "listening:welcome"

# Logins that fail are counted per address, for whichever names: whoever tries names one after another is locked out
# too, nobody can lock somebody else out from elsewhere, and the answer is the same whether there is such a name.
AUTHENTICATION_BACKENDS = [
    "evomusic_site.throttle.LoginThrottle",
    "listening.recognition.WithListener",
    "django.contrib.auth.backends.ModelBackend",  # named by sessions that are older than the one above
]
AXES_FAILURE_LIMIT = ENVIRONMENT.login_failures
AXES_COOLOFF_TIME = timedelta(minutes=ENVIRONMENT.login_lock_minutes)
AXES_LOCKOUT_PARAMETERS = ["ip_address"]
AXES_CLIENT_IP_CALLABLE = "listening.visitors.address"
AXES_LOCKOUT_CALLABLE = "evomusic_site.throttle.locked_out"
AXES_RESET_ON_SUCCESS = False  # who has an account could guess for ever, logging in to it now and then
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # who logged in from where is nobody's business
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False  # no names and addresses in the log

TRUSTED_PROXIES = ENVIRONMENT.trusted_proxies  # how many stand before us and append to X-Forwarded-For
GUESTS_PER_HOUR = ENVIRONMENT.guests_per_hour  # per address; 0: as many as come
# The most playlists that one listener may ask for; 0: as many as they like.
GUEST_EVOLVES_PER_HOUR = ENVIRONMENT.guest_evolves_per_hour
GUEST_EVOLVES_PER_DAY = ENVIRONMENT.guest_evolves_per_day
ACCOUNT_EVOLVES_PER_HOUR = ENVIRONMENT.account_evolves_per_hour
ACCOUNT_EVOLVES_PER_DAY = ENVIRONMENT.account_evolves_per_day
LLM_HOSTS = ENVIRONMENT.llm_hosts  # whom configurations may name as their language model

SESSION_ENGINE = "listening.sessions"
SESSION_COOKIE_AGE = 365 * 24 * 3600  # seconds: a guest has nothing but this cookie
SESSION_COOKIE_SECURE = ENVIRONMENT.secure_cookies
CSRF_COOKIE_SECURE = ENVIRONMENT.secure_cookies
SECURE_SSL_REDIRECT = ENVIRONMENT.secure_cookies
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$"]  # asked from inside, past the proxy
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENVIRONMENT.trusted_proxies else None
SECURE_HSTS_SECONDS = ENVIRONMENT.hsts_seconds if ENVIRONMENT.secure_cookies else 0
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]  # our subdomains and a browser's list are not ours to bind
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = ENVIRONMENT.static_root or STATE_FOLDER / "static"
NODE_MODULES = BASE_DIR / "node_modules"
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("vendor/htmx", NODE_MODULES / "htmx.org" / "dist"),
    ("vendor/uplot", NODE_MODULES / "uplot" / "dist"),
    ("vendor/brygada", NODE_MODULES / "@fontsource-variable" / "brygada-1918" / "files"),
]
STATIC_COLLECTED = ENVIRONMENT.static_root is not None  # in an image; else they are served from where they lie
MEDIA_ROOT = STATE_FOLDER / "media"
STORAGES = {
    "default": media.storage(ENVIRONMENT.s3),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# A better SoundFont than the one that comes along; None: that one.
SOUNDFONT = str(ENVIRONMENT.soundfont) if ENVIRONMENT.soundfont else None

# Days after the end of a run for which what was heard in it can be looked at without playing it again.
EVALUATIONS_KEPT_DAYS = ENVIRONMENT.evaluations_kept_days

# Days without a sign of life after which a guest is deleted with all that is theirs; 0: never.
GUESTS_KEPT_DAYS = ENVIRONMENT.guests_kept_days

# Requests in a minute with one token of the API.
API_REQUESTS_A_MINUTE = ENVIRONMENT.api_requests_a_minute

# A context manager that commands which conduct rounds themselves are given players by.
PLAYERS_FOR_COMMANDS = "evomusic_site.processes.players_for_command"

# The searcher of people who listen (the schema is evolution/config/; what is left out has its default there).
LISTENING_CONFIGURATION: dict[str, object] = {"user_model": {"proof": True, "train_conf": {"learner": "bayes"}}}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "socket_timeout": 10, "socket_connect_timeout": 5}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 2, "interval_start": 0.1, "interval_max": 0.5}
CELERY_TASK_DEFAULT_QUEUE = "rounds"
CELERY_TASK_ROUTES = {"evolution.tasks.*": {"queue": "gpu"}}
CELERY_BEAT_SCHEDULE = {
    "resume abandoned rounds": {
        "task": "listening.tasks.resume_abandoned",
        "schedule": schedules.Steady(3.0),  # seconds
        "options": {"expires": 30.0},  # clocks of two machines may differ; more than ten need not wait
    },
    "prune evaluations": {"task": "listening.tasks.prune_evaluations", "schedule": schedules.Steady(6 * 3600.0)},
    "prune guests": {"task": "listening.tasks.prune_guests", "schedule": crontab(hour="3", minute="17")},  # UTC
}

# Who has this token reads /metrics, beside staff; empty: staff alone. A worker answers on a port of its own; 0: not.
METRICS_TOKEN = ENVIRONMENT.metrics_token
METRICS_HOST, METRICS_PORT = ENVIRONMENT.metrics_host, ENVIRONMENT.metrics_port
CELERY_IMPORTS = ["evomusic_site.task_hooks"]

LOGGING = logs.configuration(ENVIRONMENT.log_format, ENVIRONMENT.log_level)
