"""Operations on documents; each is one idempotent transaction."""

from ocr_chunks.documents.create import Created, create_document
from ocr_chunks.documents.retry import retry_chunks

__all__ = ["Created", "create_document", "retry_chunks"]
