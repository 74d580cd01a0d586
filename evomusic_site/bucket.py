"""Recordings in S3-compatible storage, by django-storages; a part of a file is fetched without the rest of it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from django.core.files.base import File
from storages.backends.s3 import S3Storage

if TYPE_CHECKING:
    from mypy_boto3_s3.service_resource import Object

ABSENT = ("404", "NoSuchKey", "NotFound")


class Bucket(S3Storage):
    """django-storages' storage, whose files that are opened for reading answer `seek` and `read` by byte ranges.

    Its own fetch the whole object at the first read, however little is asked for.
    """

    def _open(self, name: str, mode: str = "rb") -> File:
        if mode != "rb":
            opened: File = super()._open(name, mode)
            return opened
        fetched = _Fetched(self.bucket.Object(self._normalize_name(name)), name)
        return File(fetched, name)  # type: ignore[arg-type]  # it reads bytes


class _Fetched(io.RawIOBase):
    """An object of a bucket as a file; a `read` is one request. Raises FileNotFoundError where there is none."""

    def __init__(self, stored: Object, name: str) -> None:
        super().__init__()
        self.stored = stored
        self.name = name
        self.position = 0
        self._size: int | None = None

    @property
    def size(self) -> int:
        """Bytes; asked for once."""
        if self._size is None:
            try:
                self._size = int(self.stored.content_length)
            except ClientError as error:
                raise self._translated(error) from error
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
        try:
            got: bytes = self.stored.get(Range=f"bytes={self.position}-{last}")["Body"].read()
        except ClientError as error:
            raise self._translated(error) from error
        self.position += len(got)
        return got

    def readall(self) -> bytes:
        return self.read(-1)

    def readinto(self, into: Any) -> int:
        got = self.read(len(into))
        into[: len(got)] = got
        return len(got)

    def _translated(self, error: ClientError) -> Exception:
        if error.response.get("Error", {}).get("Code") in ABSENT:
            return FileNotFoundError(f"{self.name}: expected a recording in the bucket, there is none")
        return error
