"""An S3 service on loopback (moto's), and the site told to keep recordings in a bucket of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from evomusic_site import environment, media

BUCKET = "recordings-of-a-test"
REGION = "eu-west-1"
ACCESS_KEY, SECRET_KEY = "somebody", "never printed"


@contextmanager
def served() -> Iterator[str]:
    """The address of a service that is asked by boto3 as any other."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def client(endpoint: str) -> Any:
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    return boto3.client("s3", endpoint_url=endpoint, region_name=REGION, **keys)


def make(endpoint: str) -> None:
    """The bucket, unless it is there."""
    if BUCKET not in [bucket["Name"] for bucket in client(endpoint).list_buckets()["Buckets"]]:
        client(endpoint).create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})


def use(endpoint: str, settings: Any, monkeypatch: pytest.MonkeyPatch, *, bucket: str = BUCKET) -> None:
    """From now on, inside a test, recordings go there."""
    told = {"BUCKET": bucket, "ENDPOINT": endpoint, "REGION": REGION, "PREFIX": "/music/"}
    for name, value in {**told, "ACCESS_KEY": ACCESS_KEY, "SECRET_KEY": SECRET_KEY}.items():
        monkeypatch.setenv(f"EVOMUSIC_S3_{name}", value)
    settings.STORAGES = {**settings.STORAGES, "default": media.storage(environment.read().s3)}
