"""Saved views: the address of a list under a name, of one account or shared."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from jobs.rules.limits import VIEW_NAME_LENGTH, VIEW_QUERY_LENGTH


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    """Querysets of saved views."""

    def visible_to(self, account: int | None, *, is_limited: bool) -> Self:
        """Return the account's own views, and the shared ones unless it is limited to projects.

        A name or a filter may contain the name of a project that a limited account does not see.
        """
        own = Q(account=account)
        return self.filter(own if is_limited else own | Q(shared=True))


class SavedView(models.Model):
    """Filters, columns and order of a list (`jobs_job`), as its query string."""

    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    list_name = models.CharField(max_length=100)
    name = models.CharField(max_length=VIEW_NAME_LENGTH)
    query = models.CharField(max_length=VIEW_QUERY_LENGTH, blank=True)
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        ordering = ["name", "id"]
        indexes = [models.Index(fields=["list_name"], name="saved_view_shared", condition=Q(shared=True))]
        constraints = [
            models.UniqueConstraint(fields=["account", "list_name", "name"], name="saved_view_once_per_account")
        ]

    def __str__(self) -> str:
        return self.name
