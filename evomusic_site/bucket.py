"""Recordings in S3-compatible storage, by django-storages; a part of a file is fetched without the rest of it.

What goes wrong is an OSError, as with a folder, whose text names the bucket, never a key.
"""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import File
from storages.backends.s3 import S3Storage

from evolution.keeping import KeepingError

if TYPE_CHECKING:
    from mypy_boto3_s3.service_resource import Object

ABSENT = ("404", "NoSuchKey", "NotFound")
FULL = ("QuotaExceeded", "XMinioStorageFull")
"""What Ceph's gateway and MinIO answer when there is no room; Amazon's storage is never full."""
MEANINGS = {
    "403": "the keys do not allow it",  # all that the answer to a HEAD says
    "AccessDenied": "the keys do not allow it",
    "InvalidAccessKeyId": "the access key is not known there",
    "SignatureDoesNotMatch": "the secret key is not the access key's",
    "NoSuchBucket": "there is no bucket of this name",
}


class Bucket(S3Storage):
    """django-storages' storage, whose files that are opened for reading answer `seek` and `read` by byte ranges.

    Its own fetch the whole object at the first read, however little is asked for.
    """

    def _open(self, name: str, mode: str = "rb") -> File:
        if mode != "rb":
            opened: File = super()._open(name, mode)
            return opened
        with self._told(name):
            stored = self.bucket.Object(self._normalize_name(name))
        return File(_Fetched(stored, name, endpoint=self.endpoint_url), name)  # type: ignore[arg-type]  # reads bytes

    def _save(self, name: str, content: Any) -> str:
        with self._told(name):
            return str(super()._save(name, content))

    def delete(self, name: str) -> None:
        with self._told(name):
            super().delete(name)

    def exists(self, name: str) -> bool:
        with self._told(name):
            return bool(super().exists(name))

    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        with self._told(name):
            folders, files = super().listdir(name)
        return folders, files

    def size(self, name: str) -> int:
        with self._told(name):
            return int(super().size(name))

    def _told(self, name: str) -> Any:
        return _failures(name, bucket=self.bucket_name, endpoint=self.endpoint_url)


class _Fetched(io.RawIOBase):
    """An object of a bucket as a file; a `read` is one request. Raises FileNotFoundError where there is none."""

    def __init__(self, stored: Object, name: str, *, endpoint: str | None) -> None:
        super().__init__()
        self.stored = stored
        self.name = name
        self.endpoint = endpoint
        self.position = 0
        self._size: int | None = None

    @property
    def size(self) -> int:
        """Bytes; asked for once."""
        if self._size is None:
            with self._told():
                self._size = int(self.stored.content_length)
        return self._size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size if whence == io.SEEK_END else 0}
        self.position = max(0, begin[whence] + offset)
        return self.position

    def read(self, size: int | None = -1) -> bytes:
        everything = size is None or size < 0
        if size == 0 or self.position >= self.size:
            return b""
        last = self.size - 1 if everything or size is None else min(self.position + size, self.size) - 1
        with self._told():
            got: bytes = self.stored.get(Range=f"bytes={self.position}-{last}")["Body"].read()
        self.position += len(got)
        return got

    def readall(self) -> bytes:
        return self.read(-1)

    def readinto(self, into: Any) -> int:
        got = self.read(len(into))
        into[: len(got)] = got
        return len(got)

    def _told(self) -> Any:
        return _failures(self.name, bucket=self.stored.bucket_name, endpoint=self.endpoint)


@contextmanager
def _failures(name: str, *, bucket: str, endpoint: str | None) -> Iterator[None]:
    """What boto3 raises inside becomes what `failure` makes of it."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise failure(error, name, bucket=bucket, endpoint=endpoint) from error


def failure(error: ClientError | BotoCoreError, name: str, *, bucket: str, endpoint: str | None) -> OSError:
    """What happened to a file, in words for the operator, without keys.

    A FileNotFoundError where there is no such file, an OSError with ENOSPC where there is no room for it, and a
    KeepingError where the bucket does not answer, refuses or cannot be asked.
    """
    place = f"the bucket {bucket}" + (f" at {urlsplit(endpoint).netloc.rpartition('@')[2]}" if endpoint else "")
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        if code in ABSENT:
            return FileNotFoundError(f"{name}: expected a recording in the bucket, there is none")
        if code in FULL:
            return OSError(errno.ENOSPC, f"{place} has no room left ({code})")
        meaning = f", {MEANINGS[code]}" if code in MEANINGS else ""
        return KeepingError(f"{name}: {place} refuses {error.operation_name}: {code}{meaning}")
    if isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError):
        return KeepingError(f"{name}: {place} does not answer ({type(error).__name__})")
    return KeepingError(f"{name}: {place} cannot be asked ({type(error).__name__})")
