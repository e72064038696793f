"""URLs of documents under /api/v1."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from ocr_chunks import api

DOCUMENT = "documents/<int:document_id>"

urlpatterns: list[URLPattern | URLResolver] = [
    path("documents", api.Documents.as_view(), name="api-documents"),
    path(DOCUMENT, api.DocumentDetail.as_view(), name="api-document"),
    path(f"{DOCUMENT}/retry", api.RetryChunks.as_view(), name="api-document-retry"),
]
