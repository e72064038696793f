"""Types of arguments: whole numbers within bounds. Pure."""

from __future__ import annotations

import argparse

LARGEST = 2**53


def item_id(text: str) -> int:
    """Parse a number from 1."""
    return whole(text, least=1, most=LARGEST)


def number(text: str) -> int:
    """Parse a number from 0."""
    return whole(text, least=0, most=LARGEST)


def percentage(text: str) -> int:
    """Parse a number from 0 to 100."""
    return whole(text, least=0, most=100)


def whole(text: str, *, least: int, most: int) -> int:
    """Parse a whole number; ArgumentTypeError outside the bounds."""
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}")
    return int(text)
