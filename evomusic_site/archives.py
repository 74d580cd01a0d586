"""A backup as a thing: a folder or one tar file, whose last entry says what is in it, with lengths and checksums.

database.sql.gz     the rows, as SQL
media/...           the files, by their names
manifest.json       {"format", "version", "files": {name: {"bytes", "sha256"}}, and what the writer adds}
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

FORMAT, VERSION = "evomusic backup", 1
MANIFEST = "manifest.json"
LARGEST_MANIFEST = 256 * 2**20  # bytes
AT_ONCE = 1 << 20

Manifest = dict[str, Any]


class ArchiveError(ValueError):
    """Not a whole backup of ours; the message says what was expected and what came."""


class _Entries(Protocol):
    """Where entries are put or found."""

    def put(self, name: str, source: BinaryIO, size: int) -> None: ...
    def get(self, name: str) -> BinaryIO: ...


class Archive:
    """A backup that is being written: `add` what belongs to it; it is there, with its manifest, when all went well."""

    def __init__(self, entries: _Entries) -> None:
        self._entries = entries
        self.files: dict[str, dict[str, Any]] = {}

    def add(self, name: str, source: BinaryIO, *, size: int) -> None:
        """Add what can be read from `source`, which is `size` bytes. Raises ArchiveError when it is not."""
        watched = _Watched(source)
        try:
            self._entries.put(name, watched, size)  # type: ignore[arg-type]  # it has a `read`, which is all they ask
        except FileNotFoundError as error:  # half of it may be written already
            raise ArchiveError(f"{name}: it was deleted while it was read; begin again") from error
        if watched.size != size:
            raise ArchiveError(f"{name}: expected {size} bytes, got {watched.size}: it changed while it was read")
        self.files[name] = {"bytes": size, "sha256": watched.digest.hexdigest()}

    def close(self, **told: Any) -> None:
        """Write the manifest."""
        content = json.dumps({"format": FORMAT, "version": VERSION, **told, "files": self.files}, indent=1).encode()
        self._entries.put(MANIFEST, io.BytesIO(content), len(content))


@contextmanager
def written(target: Path) -> Iterator[Archive]:
    """An archive to add to; `target` exists when the block was left without an error, and nothing of it otherwise.

    A name that ends in .tar is one file, any other a folder. Raises ArchiveError when there is something already.
    """
    if target.exists():
        raise ArchiveError(f"{target}: expected a name that is not taken, there is something")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.part")
    _discard(draft)
    try:
        if target.suffix == ".tar":
            draft.touch(mode=0o600)
            with tarfile.open(draft, "w") as tar:
                yield Archive(_Tar(tar))
        else:
            draft.mkdir(mode=0o700)
            yield Archive(_Folder(draft))
        draft.replace(target)
    finally:
        _discard(draft)


class Backup:
    """A backup that is read; it was checked to be whole."""

    def __init__(self, entries: _Entries, manifest: Manifest) -> None:
        self._entries = entries
        self.manifest = manifest

    @property
    def names(self) -> list[str]:
        """Of its files, in the order in which they were added."""
        return list(self.manifest["files"])

    def open(self, name: str) -> BinaryIO:
        """A file of it, for reading."""
        return self._entries.get(name)


@contextmanager
def opened(source: Path) -> Iterator[Backup]:
    """A backup whose every file has the length and the checksum that its manifest says.

    Raises ArchiveError for what is foreign, truncated or damaged.
    """
    if source.is_dir():
        yield _checked(_Folder(source), source)
        return
    try:
        tar = tarfile.open(source, "r:")  # noqa: SIM115  # closed below
    except FileNotFoundError:
        raise ArchiveError(f"{source}: expected a backup, there is nothing") from None
    except tarfile.TarError as error:
        raise ArchiveError(f"{source}: expected a backup's tar file, cannot read it: {error}") from None
    with tar:
        yield _checked(_Tar(tar), source)


def _checked(entries: _Entries, source: Path) -> Backup:
    manifest = _manifest(entries, source)
    for name, told in manifest["files"].items():
        watched = _Watched(_found(entries, name, source))
        with watched.source:
            while _piece(watched, source):
                pass
        if (watched.size, watched.digest.hexdigest()) != (told["bytes"], told["sha256"]):
            raise ArchiveError(f"{source}: {name} is damaged: its length or checksum is not the manifest's")
    return Backup(entries, manifest)


def _manifest(entries: _Entries, source: Path) -> Manifest:
    try:
        with entries.get(MANIFEST) as file:
            content = json.loads(file.read(LARGEST_MANIFEST))
    except (KeyError, OSError, tarfile.TarError):
        raise ArchiveError(
            f"{source}: expected {MANIFEST}, which is written last: it is no backup, or not all of one"
        ) from None
    except ValueError:
        content = None
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("files"), dict):
        raise ArchiveError(f"{source}: expected the manifest of an EvoMusic backup, got something else") from None
    if content.get("version") != VERSION:
        raise ArchiveError(f"{source}: expected a backup of version {VERSION}, got {content.get('version')!r}")
    for name, told in content["files"].items():
        parts = PurePosixPath(name).parts
        inside = parts and not name.startswith("/") and ".." not in parts and "\0" not in name
        if not inside or not isinstance(told, dict) or not {"bytes", "sha256"} <= set(told):
            raise ArchiveError(f"{source}: expected names inside the backup, with lengths and checksums; got {name!r}")
    return content


def _found(entries: _Entries, name: str, source: Path) -> BinaryIO:
    try:
        return entries.get(name)
    except (KeyError, OSError, tarfile.TarError):
        raise ArchiveError(f"{source}: {name} is missing") from None


def _piece(watched: _Watched, source: Path) -> bytes:
    try:
        return watched.read(AT_ONCE)
    except (OSError, tarfile.TarError) as error:
        raise ArchiveError(f"{source}: it cannot be read to its end: {error}") from None


class _Watched:
    """What is read through it is counted and hashed."""

    def __init__(self, source: BinaryIO) -> None:
        self.source = source
        self.size = 0
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        got = self.source.read(size)
        self.size += len(got)
        self.digest.update(got)
        return got


class _Folder:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, source: BinaryIO, size: int) -> None:  # noqa: ARG002  # a folder needs no length
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            shutil.copyfileobj(source, file, AT_ONCE)

    def get(self, name: str) -> BinaryIO:
        return (self.folder / name).open("rb")


class _Tar:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self.tar = tar

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o600
        try:
            self.tar.addfile(entry, source)
        except OSError as error:
            if error.errno is None:  # tarfile's own: there was less to read
                raise ArchiveError(f"{name}: expected {size} bytes, got fewer: it changed while it was read") from None
            raise

    def get(self, name: str) -> BinaryIO:
        file = self.tar.extractfile(name)
        if file is None:
            raise KeyError(name)
        return file  # type: ignore[return-value]


def _discard(draft: Path) -> None:
    if draft.is_dir():
        shutil.rmtree(draft)
    else:
        draft.unlink(missing_ok=True)
