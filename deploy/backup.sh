#!/usr/bin/env bash
# Backup of the database while the site runs: deploy/backup.sh FOLDER
# It makes FOLDER/progress-<time>.sqlite3 or .dump, checks that it can be read, and removes those older than KEEP_DAYS (14).
# The settings are those of the site. PYTHON names its interpreter.
set -euo pipefail
umask 077
cd "$(dirname "$0")/.."

folder=$(mkdir -p "${1:?the folder of the backups}" && cd "$1" && pwd)
name="$folder/progress-$(date -u +%Y%m%dT%H%M%SZ)"
settings() { "${PYTHON:-.venv/bin/python}" deploy/database.py "$@"; }

case $(settings kind) in
  sqlite)
    settings copy "$name.part"
    mv "$name.part" "$name.sqlite3"
    echo "$name.sqlite3"
    ;;
  postgresql)
    settings run pg_dump --format=custom --file="$name.part"
    pg_restore --list "$name.part" >/dev/null
    mv "$name.part" "$name.dump"
    echo "$name.dump"
    ;;
esac
find "$folder" -maxdepth 1 -name 'progress-*' -type f -mtime "+${KEEP_DAYS:-14}" -delete
