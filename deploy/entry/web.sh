#!/bin/sh
# The web process: HTTP and WebSocket at HOST:PORT. On SIGTERM it answers what it was asked, then ends.
set -eu
cd "$(dirname "$0")/../.."
exec "${PYTHON:-python}" -m evomusic_site.entry web
