"""What the site does differently where strangers come."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys

import pytest
from environs import EnvError

from evomusic_site import environment

SECRET = secrets.token_urlsafe(50)
DEPLOYED = {
    "ALLOWED_HOSTS": "music.example.org",
    "TRUSTED_ORIGINS": "https://music.example.org",
    "SECRET_KEY": SECRET,
}


@pytest.fixture(autouse=True)
def state(monkeypatch, tmp_path):
    monkeypatch.setenv("EVOMUSIC_STATE", str(tmp_path / "state"))
    for name in ("ALLOWED_HOSTS", "SECRET_KEY", "SECURE_COOKIES", "TRUSTED_PROXIES", "LLM_HOSTS", "DEBUG"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("hosts", "public"),
    [
        ("music.example.org", True),
        (".example.org", True),
        ("*", True),
        ("localhost,127.0.0.1,[::1],0.0.0.0", False),
        ("192.168.1.5", False),
        ("piano.local", False),
        ("web", False),
        ("web,music.example.org", True),
    ],
)
def test_a_site_with_a_public_name_counts_as_deployed(monkeypatch, hosts, public):
    monkeypatch.setenv("ALLOWED_HOSTS", hosts)
    monkeypatch.setenv("SECRET_KEY", SECRET)
    read = environment.read()
    assert read.secure_cookies is public
    assert read.trusted_proxies == int(public)
    assert read.llm_hosts == (["public"] if public else ["*"])


@pytest.mark.parametrize("secret", ["", "change-me", "django-insecure-" + SECRET, "a" * 60, SECRET[:40]])
def test_a_deployed_site_does_not_start_with_a_secret_that_can_be_guessed(monkeypatch, secret):
    monkeypatch.setenv("ALLOWED_HOSTS", "music.example.org")
    monkeypatch.setenv("SECRET_KEY", secret)
    with pytest.raises(EnvError, match="SECRET_KEY: expected 50 or more characters") as refused:
        environment.read()
    assert not secret or secret not in str(refused.value)


def test_django_s_own_check_for_deployment_finds_nothing(tmp_path):
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    whole = {**kept, **DEPLOYED, "EVOMUSIC_STATE": str(tmp_path)}
    done = subprocess.run(command, cwd=environment.ROOT, env=whole, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no issues" in done.stdout + done.stderr


def test_cookies_and_https_are_as_they_must_be_when_deployed(tmp_path):
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    program = (
        "from evomusic_site import settings as s; print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, "
        "s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS >= 30 * 86400, s.SECURE_PROXY_SSL_HEADER, s.DEBUG)"
    )
    whole = {**kept, **DEPLOYED, "EVOMUSIC_STATE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=environment.ROOT, env=whole, capture_output=True, text=True
    )
    assert done.stdout.strip() == "True True True True ('HTTP_X_FORWARDED_PROTO', 'https') False", done.stderr


@pytest.mark.parametrize(
    ("addresses", "hosts"),
    [
        (["172.18.0.5", "fd00::5"], ["172.18.0.5", "[fd00::5]"]),
        (["10.1.2.3", "192.168.7.7", "172.31.255.255"], ["10.1.2.3", "172.31.255.255", "192.168.7.7"]),
        (["127.0.0.1", "::1", "fe80::1%eth0", "169.254.1.1"], []),
        (["93.184.215.14", "172.32.0.1", "2606:2800:21f::1"], []),
        ([], []),
    ],
)
def test_of_its_own_addresses_a_site_answers_to_the_private_ones_alone(addresses, hosts):
    assert environment.private_hosts(addresses) == hosts


def test_a_site_that_answers_to_its_own_addresses_is_told_so_and_does_not_count_as_deployed_for_it(monkeypatch):
    monkeypatch.setattr(environment, "_own_addresses", lambda: {"172.18.0.5"})
    monkeypatch.setenv("ALLOWED_HOSTS", "localhost")
    assert environment.read().allowed_hosts == ["localhost"]
    monkeypatch.setenv("EVOMUSIC_OWN_ADDRESSES", "true")
    read = environment.read()
    assert read.allowed_hosts == ["localhost", "172.18.0.5"]
    assert (read.secure_cookies, read.trusted_proxies) == (False, 0)
