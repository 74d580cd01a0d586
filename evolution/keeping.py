"""Recordings put where they are kept, a folder or a bucket: whole or not at all, and why not."""

from __future__ import annotations

import errno
from contextlib import suppress

from django.core.files.base import ContentFile

from evolution.models import Recording

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
"""What the system says when a file cannot grow, whoever's limit it is."""


class KeepingError(OSError):
    """What keeps recordings does not answer, or refuses; the same can succeed later. Its text is for operators."""


def keep(recording: Recording, name: str, content: ContentFile[bytes]) -> None:
    """Write the file; of one that could not be written no half is left.

    Raises OSError with one of NO_ROOM where there is no room, and KeepingError where there is another reason.
    """
    try:
        recording.file.save(name, content, save=False)
    except KeepingError:
        raise  # a bucket's: it takes a file whole or not at all
    except OSError as error:
        storage, path = recording.file.storage, recording.file.field.generate_filename(recording, name)
        with suppress(OSError):
            storage.delete(path)
        if error.errno in NO_ROOM:
            raise
        raise KeepingError(f"{path} cannot be written: {error}") from error
