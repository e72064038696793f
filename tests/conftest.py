"""What every test may use."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient


@pytest.fixture
def client_of_api() -> APIClient:
    """A client of the REST interface without a credential."""
    return APIClient()
