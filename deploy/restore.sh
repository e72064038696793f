#!/usr/bin/env bash
# Restore of a backup into an empty database: deploy/restore.sh FILE
# Stop every process of the site first. For SQLite DATABASE_URL must name a file that is not there; for PostgreSQL an empty
# database. Afterwards the migrations are applied and the counters are checked.
set -euo pipefail
umask 077
cd "$(dirname "$0")/.."

file=$(realpath "${1:?the file of the backup}")
python=${PYTHON:-.venv/bin/python}
settings() { "$python" deploy/database.py "$@"; }

case $(settings kind) in
  sqlite)
    target=$(settings name)
    if [ -e "$target" ]; then
      echo "Move $target and its -wal and -shm away first." >&2
      exit 1
    fi
    cp "$file" "$target.part"
    mv "$target.part" "$target"
    ;;
  postgresql)
    settings run pg_restore --no-owner --no-privileges --exit-on-error --single-transaction --dbname="$(settings name)" "$file"
    ;;
esac
"$python" manage.py migrate --no-input
"$python" manage.py recount
