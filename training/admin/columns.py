"""Shared parts of the training lists."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.models import Item


class ListMedia:
    """`Media` of the lists."""

    css = {"all": ["training/session.css"]}


def item_link(item: Item) -> SafeString:
    """Return the path of an image, linked to its item."""
    return format_html('<a href="{}">{}</a>', reverse("admin:jobs_item_change", args=[item.pk]), item)
