"""URLs of training sessions under /api/v1."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from training import api

SESSION = "training/<int:session_id>"

urlpatterns: list[URLPattern | URLResolver] = [
    path("training", api.Sessions.as_view(), name="api-training"),
    path(SESSION, api.SessionDetail.as_view(), name="api-training-session"),
    path(f"{SESSION}/images", api.Images.as_view(), name="api-training-images"),
    path(f"{SESSION}/progress/unified", api.Unified.as_view(), name="api-training-unified"),
    path(
        "training/sessions/<int:session_id>/progress-unified",
        api.UnifiedAlias.as_view(),
        name="api-training-unified-alias",
    ),
    path(f"{SESSION}/faces", api.Faces.as_view(), name="api-training-faces"),
    path(f"{SESSION}/clustering", api.Clustering.as_view(), name="api-training-clustering"),
    path(f"{SESSION}/restart", api.RestartSession.as_view(), name="api-training-restart"),
]
