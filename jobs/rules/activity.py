"""Kinds of activity: the words of acts that are no operator acts on jobs, and those that concern access."""

from __future__ import annotations

# Rows about these are shown only to accounts that manage tokens.
ACCESS = ("account", "group", "membership", "sign-in", "token")

SIGNED_IN, REFUSED, LOCKED, SIGNED_OUT = "sign-in", "sign-in-refused", "sign-in-locked", "sign-out"
