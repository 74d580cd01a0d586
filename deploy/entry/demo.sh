#!/bin/sh
# Everything in one container: PostgreSQL, Redis, web, conductor and players, all under EVOMUSIC_STATE.
set -eu
cd "$(dirname "$0")/../.."
exec "${PYTHON:-python}" -m evomusic_site.demo
