"""Limits of names, texts, numbers and lists that several parts share. Pure: no Django, no database."""

from __future__ import annotations

# The largest integer that JavaScript and every JSON parser keep exactly.
LARGEST_INTEGER = 2**53
LONGEST_SECONDS = 31_536_000  # a year, of leases and watermarks
LOWEST_PRIORITY, HIGHEST_PRIORITY = -100, 100
MOST_LEASED = 1_000_000  # the largest limit of leased items of a phase or a project

# Characters of names.
NAME_LENGTH = 200  # jobs, endpoints, labels, actors
CODE_LENGTH = 100  # phases, kinds, types of assets
PROJECT_LENGTH = 128
WORKER_LENGTH = 128
ACCOUNT_LENGTH = 150
VERSION_LENGTH = 100
KEY_LENGTH = 1024
SPLIT_LENGTH = 64
ACT_LENGTH = 40  # acts, and what they are about
EVENT_TYPE_LENGTH = 120
CHECKSUM_LENGTH = 200
URL_LENGTH = 2000
SECRET_LENGTH = 200
VIEW_NAME_LENGTH = 80  # saved views of lists
VIEW_QUERY_LENGTH = 2000
MOST_VIEWS = 50  # of one account, for one list

# Characters of sentences.
ERROR_LENGTH = 500
REASON_LENGTH = 2000  # reasons, details and messages
TEMPLATE_LENGTH = 500  # the stage of a phase, before its counts are filled in
STAGE_LENGTH = 600

# Entries of one request.
MOST_ITEMS = 5000
MOST_RESULTS = 1000
MOST_CLAIMED = 1000
MOST_PHASES = 100
MOST_TYPES = 100  # patterns of events of an endpoint

# Rows of one answer.
MOST_LISTED = 200

# Automatic retries.
MOST_RETRIES = 100
LONGEST_RETRY_DELAY = 604_800  # seconds: a week

# The history of an item.
ATTEMPTS_KEPT = 10
LOG_BYTES = 16 * 1024
LOG_CUT = "[The beginning of this log was cut.]\n"
MOST_LINKS = 10
