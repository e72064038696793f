"""Kinds of activity beside the operator acts on jobs: their words, and those that concern access."""

from __future__ import annotations

# Rows about these are shown only to accounts that manage tokens.
ACCESS = ("account", "group", "membership", "sign-in", "token")

SIGN_INS = ("sign-in", "sign-in-refused", "sign-out")
# The participle of each, as a list of acts says it: "added", "issued".
PAST = {
    "add": "added",
    "change": "changed",
    "delete": "deleted",
    "give": "given out",
    "issue": "issued",
    "rotate": "rotated",
    "revoke": "revoked",
    "replay": "replayed",
    "share": "new badge links",
    "limit-project": "set",
    "stop": "stopped",
    "sign-in": "signed in",
    "sign-in-refused": "sign-in refused",
    "sign-out": "signed out",
    "second-factor": "second factor changed",
    "roles": "roles changed",
    "projects": "projects changed",
}
