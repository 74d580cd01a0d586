"""Where recordings are kept: a folder, or a bucket of S3-compatible storage."""

from __future__ import annotations

from typing import Any

from evomusic_site.environment import S3

CONNECT_SECONDS, READ_SECONDS = 5, 30
ATTEMPTS = 5
"""Of a request to the bucket, with growing pauses between them."""


def storage(bucket: S3 | None) -> dict[str, Any]:
    """Django's default storage. Recordings are named by the hash of what they are: writing one again is harmless.

    bucket: None: the folder MEDIA_ROOT.
    """
    if bucket is None:
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"allow_overwrite": True}}
    from botocore.config import Config  # the extra `s3`; nobody else needs it

    client = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "max_attempts": ATTEMPTS},
        s3={"addressing_style": "path"} if bucket.endpoint else {},  # a name per bucket is Amazon's own
        request_checksum_calculation="when_required",  # what other makers' storage understands
        response_checksum_validation="when_required",
    )
    options = {
        "bucket_name": bucket.bucket,
        "endpoint_url": bucket.endpoint or None,
        "region_name": bucket.region or None,
        "access_key": bucket.access_key or None,
        "secret_key": bucket.secret_key or None,
        "location": bucket.prefix,
        "file_overwrite": True,
        "default_acl": None,  # as the bucket has it, which shall be private: listeners come to us
        "client_config": client,
    }
    return {"BACKEND": "evomusic_site.bucket.Bucket", "OPTIONS": options}
