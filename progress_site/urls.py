"""URLs of the site. progress_site.health answers the probes before them."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from jobs.console.job.badge_image import badge
from jobs.console.wall.views import linked_wall
from jobs.management.doctor.echo import echo
from progress_site import client_download

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("api/v1/", include("jobs.urls")),
    path("api/v1/", include("ocr_chunks.urls")),
    path("api/v1/", include("training.urls")),
    path("account/", include("progress_site.sign_in.urls")),
    path("badge/<str:signed>.svg", badge, name="badge"),
    path("wall/<str:secret>/", linked_wall, name="wall"),
    path("client/", client_download.page, name="client"),
    path("client/<str:file>", client_download.wheel, name="client-wheel"),
    path("admin/", admin.site.urls),
    path("doctor", echo, name="doctor"),
]

handler400 = "progress_site.rest.exceptions.bad_request"
handler403 = "progress_site.error_views.forbidden"
handler404 = "progress_site.error_views.not_found"
handler500 = "progress_site.rest.exceptions.server_error"
