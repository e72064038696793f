"""Texts of workers inside messages to people: one line, and no character that a mail, a chat or a page acts on.

Pure: no Django, no database.
"""

from __future__ import annotations

import re
import unicodedata

from jobs.rules.formatting import clip

# Control characters, half surrogate pairs, unknown characters, and those that are invisible or change the direction.
INVISIBLE = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
JOINER = "\u200d"  # of emoji
# Slack, Discord, Telegram and Markdown act on these; each is replaced by a character that looks like it.
MARKUP = str.maketrans(
    {
        "<": "\u2039",
        ">": "\u203a",
        "[": "\uff3b",
        "]": "\uff3d",
        "`": "\u02cb",
        "*": "\u2217",
        "~": "\u223c",
        "|": "\u00a6",
        "@": "\uff20",
        "\\": "\uff3c",
        "#": "\uff03",
        "{": "\uff5b",
        "}": "\uff5d",
    }
)
ENTITY = re.compile(r"&(?=#?\w+;)")
UNDERSCORES = re.compile(r"__+")
SENTENCE_END = re.compile(r"(?<=[.!?])\s")


def one_line(text: str, *, most: int) -> str:
    """Return a text as one line of visible characters, cut with an ellipsis."""
    kept = "".join(char if char == JOINER or unicodedata.category(char) not in INVISIBLE else " " for char in text)
    return clip(" ".join(kept.split()), most)


def without_markup(line: str) -> str:
    """Return a line in which no chat finds markup, a mention, an entity or a link with another text."""
    return UNDERSCORES.sub("_", ENTITY.sub("\uff06", line)).translate(MARKUP)


def first_sentence(text: str, *, most: int) -> str:
    """Return the first sentence of an error as one line."""
    return clip(SENTENCE_END.split(one_line(text, most=4 * most), maxsplit=1)[0], most)
