"""Error pages."""

from __future__ import annotations

from typing import Any

from django.db import OperationalError
from django.db.backends.utils import CursorWrapper

from tests.factories import make_job


def test_an_unknown_address_has_an_error_page_of_the_site(lead: Any) -> None:
    page = lead.open("/admin/nothing/at/all/", status=404)
    assert "There is no page at this address" in page.text
    assert page.links()["Overview"] == "/admin/"


def test_a_defect_shows_a_page_without_details(lead: Any, monkeypatch: Any) -> None:
    response = break_overview(lead, monkeypatch, error=RuntimeError("secret detail"))
    assert (response.status_code, "Server error" in response.content.decode()) == (500, True)


def test_a_database_that_is_down_asks_to_come_back(lead: Any, monkeypatch: Any) -> None:
    response = break_overview(lead, monkeypatch, error=OperationalError("secret detail"))
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "The database is not available" in response.content.decode()
    assert '<meta http-equiv="refresh" content="5">' in response.content.decode()


def test_what_was_sent_to_a_database_that_is_down_is_not_sent_again(lead: Any, monkeypatch: Any) -> None:
    response = break_overview(lead, monkeypatch, error=OperationalError("secret detail"), method="post")
    assert (response.status_code, "refresh" in response.content.decode()) == (503, False)


def test_a_host_that_is_not_served_is_said_so_in_the_clothes_of_the_site(lead: Any) -> None:
    response = lead.client.get("/admin/", headers={"Host": "evil.example"})
    assert (response.status_code, "Bad request" in response.content.decode()) == (400, True)


def break_overview(lead: Any, monkeypatch: Any, *, error: Exception, method: str = "get") -> Any:
    """Load the overview while queries of the tallies raise this error."""
    execute = CursorWrapper.execute

    def broken(self: CursorWrapper, sql: str, params: Any = None) -> Any:
        if "jobs_tally" in sql:
            raise error
        return execute(self, sql, params)

    make_job(items=2, done=1)
    monkeypatch.setattr(CursorWrapper, "execute", broken)
    lead.client.raise_request_exception = False
    response = getattr(lead.client, method)("/admin/")
    assert "secret detail" not in response.content.decode()
    return response


def test_the_page_without_scripts_asks_for_itself_again(lead: Any) -> None:
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in lead.open("/admin/").source


def test_without_scripts_the_page_of_a_job_that_is_over_does_not_load_itself_again(lead: Any) -> None:
    going, over = make_job(items=2, done=1), make_job(items=2, done=2)
    assert "http-equiv" in lead.open(going.get_absolute_url()).source
    source = lead.open(over.get_absolute_url()).source
    assert "http-equiv" not in source
    assert "every 15 seconds" not in source
