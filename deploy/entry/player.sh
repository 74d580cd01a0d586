#!/bin/sh
# A player: makes music. On SIGTERM it finishes its chunk; a player on a GPU has that one alone.
set -eu
cd "$(dirname "$0")/../.."
exec "${PYTHON:-python}" -m evomusic_site.entry player
