"""Who reports and who may see what."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from jobs.models.jobs import Job


class Worker(models.Model):
    """A worker as it calls itself, with the account it last reported under and its last sign of life."""

    name = models.CharField(max_length=128, unique=True)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    seen_at = models.DateTimeField()
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    message = models.CharField(max_length=2000, blank=True, default="")

    class Meta:
        ordering = ["-seen_at", "-id"]
        indexes = [models.Index(fields=["-seen_at", "-id"], name="worker_seen")]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """Limits an account to a project; an account without memberships sees every project."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    project = models.CharField(max_length=128)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "project"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.project}"
