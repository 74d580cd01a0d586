#!/bin/sh
# A conductor: runs rounds. On SIGTERM it hands its rounds back, each after its last stored generation.
set -eu
cd "$(dirname "$0")/../.."
exec "${PYTHON:-python}" -m evomusic_site.entry conductor
