"""By what a secret is known that stands where none belongs: its key's name, its own look, its place in an URL."""

from __future__ import annotations

import re

HIDDEN = "(not shown)"

_NAME = re.compile(r"key|token|secret|passw|pwd|credential|auth|bearer")
_USER_INFO = re.compile(
    r"(?P<before>\b[a-z][a-z0-9+.-]{1,20}://)(?:[^\s\"'<>/?#]{0,500}|[^\s\"'<>/?#:]{1,100}:[^\s\"'<>]{0,500})@",
    re.IGNORECASE,
)
_QUERY = re.compile(
    r"(?P<before>[?&][\w.-]{0,30}(?:key|token|secret|passw|pwd|credential|auth|sig)[\w.-]{0,30}=)(?!\$\{)[^\s&#\"'<>]+",
    re.IGNORECASE,
)
_SHAPE = re.compile(
    r"\bsk[-_][\w-]{6,}"
    r"|\b(?:pk|rk|gsk|hf|xai|ghp|gho|glpat|xox[abp]|r8|nvapi)[-_](?=[\w-]*\d)[\w-]{10,}"
    r"|\b(?:AKIA|AIza)[\w-]{12,}"
    r"|\beyJ[\w-]{8,500}\.[\w-]{8,}(?:\.[\w-]+)?"
    r"|\b[0-9a-f]{40}\b(?!\.)"
)
"""How the keys of the usual services look: a prefix and a long rest; a web token; W&B's 40 digits.

A file that was uploaded is named by 40 such digits too, with a suffix behind them.
"""


def names_secret(key: str) -> bool:
    """Whether what stands under this key may be a secret: `api_key`, `apikey`, `API-Key`, `wandb_token` ..."""
    return _NAME.search("".join(letter for letter in key if letter.isalpha()).lower()) is not None


def hidden(text: str) -> str:
    """The text with "(not shown)" for what looks like a key of a service, and without names and secrets in its URLs."""
    text = _USER_INFO.sub(lambda match: match["before"], text)
    text = _QUERY.sub(lambda match: match["before"], text)
    return _SHAPE.sub(HIDDEN, text)
