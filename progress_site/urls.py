"""The addresses of the site, but for the probes (progress_site.probes)."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from jobs.views import badge

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("api/v1/", include("jobs.urls")),
    path("api/v1/", include("ocr_chunks.urls")),
    path("api/v1/", include("training.urls")),
    path("badge/<str:signed>.svg", badge, name="badge"),
    path("admin/", admin.site.urls),
]

handler400 = "progress_site.rest.handlers.bad_request"
handler403 = "progress_site.refusals.forbidden"
handler404 = "progress_site.refusals.not_found"
handler500 = "progress_site.rest.handlers.server_error"
