#!/bin/sh
# A step of its own, before anything else of a new version starts: brings the database up to date, then ends.
set -eu
cd "$(dirname "$0")/../.."
exec "${PYTHON:-python}" manage.py migrate --no-input
