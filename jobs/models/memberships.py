"""Projects that an account is limited to."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from jobs.rules.limits import PROJECT_LENGTH


class Membership(models.Model):
    """A project that an account may see. An account without memberships sees every project."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    project = models.CharField(max_length=PROJECT_LENGTH)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "project"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.project}"
