"""The verbs of OCR: each is one transaction, and repeating it is harmless."""

from ocr_chunks.documents.create import Created, create_document
from ocr_chunks.documents.retry import retry_chunks

__all__ = ["Created", "create_document", "retry_chunks"]
