"""The command `manage.py demo`, which is part of the examples."""

from __future__ import annotations

from django.core.management.base import CommandError

try:
    from examples.demo.command import Command
except ModuleNotFoundError as error:
    if error.name is None or error.name.split(".")[0] != "examples":
        raise
    # An installation without the folder, such as the Docker image.
    raise CommandError("The demo needs the folder examples/; run it in a clone of the repository.") from error

__all__ = ["Command"]
