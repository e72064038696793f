"""The last use of tokens."""

from __future__ import annotations

from django.db import models
from knox.models import AuthToken


class TokenUse(models.Model):
    """The last use of a token, to the minute."""

    token = models.OneToOneField(AuthToken, primary_key=True, on_delete=models.CASCADE, related_name="use")
    used_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.token_id[:12]} {self.used_at:%Y-%m-%d %H:%M}"
