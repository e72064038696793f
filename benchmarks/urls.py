"""URLs of the site, and a view without work: the same middleware and authentication."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Nothing(APIView):
    """View without work: the least that a view of this site can cost."""

    def post(self, request: Request) -> Response:
        """Answer an empty object."""
        return Response({})


urlpatterns = [path("api/v1/nothing", Nothing.as_view()), path("", include("progress_site.urls"))]
