"""Page of a refused sign-in."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def refusal(request: HttpRequest, detail: str, *, status: int = 403) -> HttpResponse:
    """Answer with the reason, and the way back to the sign-in page."""
    context = {**admin.site.each_context(request), "title": "Not signed in", "detail": detail}
    return render(request, "account/refused.html", context, status=status)
