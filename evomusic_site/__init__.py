"""The frame: settings, addresses, processes. It knows everybody and nobody knows it."""

from evomusic_site.celery import app as celery_app

__all__ = ["celery_app"]
