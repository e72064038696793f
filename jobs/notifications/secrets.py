"""Encryption of stored secrets: channel addresses, which contain passwords and tokens, and second factors.

The key is derived from SECRET_KEY. Keys in SECRET_KEY_FALLBACKS still decrypt, so that a key can be replaced.
"""

from __future__ import annotations

import base64
from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PURPOSE = b"progress-site channel addresses"


class KeyChanged(Exception):
    """The address was encrypted with another key."""

    def __init__(self) -> None:
        super().__init__("SECRET_KEY has changed since this address was stored. Enter the address again.")


def encrypt(text: str) -> str:
    """Encrypt a text with a key derived from SECRET_KEY."""
    return _cipher().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Decrypt a text; KeyChanged if it was encrypted with a key that is no longer set."""
    try:
        return _cipher().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise KeyChanged from error


def _cipher() -> MultiFernet:
    return MultiFernet([_fernet(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


@cache
def _fernet(secret: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(key))
