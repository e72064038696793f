"""The page of operators for one document."""

from ocr_chunks.views.document import document_page

__all__ = ["document_page"]
