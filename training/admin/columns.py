"""What the lists of training have in common."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.models import Item


class Looks:
    """The `Media` of the lists."""

    css = {"all": ["training/session.css"]}


def item_link(item: Item) -> SafeString:
    """The path of an image, leading to its item."""
    return format_html('<a href="{}">{}</a>', reverse("admin:jobs_item_change", args=[item.pk]), item)
