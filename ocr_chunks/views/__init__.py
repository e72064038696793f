"""The document page of the console."""

from ocr_chunks.views.document import document_page

__all__ = ["document_page"]
