#!/bin/sh
# The beat: asks every few seconds for rounds that were abandoned. One is enough.
set -eu
cd "$(dirname "$0")/../.."
exec "${PYTHON:-python}" -m evomusic_site.entry beat
