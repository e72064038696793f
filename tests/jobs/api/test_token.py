"""The token command."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from tests.factories import make_job

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("token", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def get(secret: str, path: str = "/jobs") -> Any:
    return APIClient(headers={"Authorization": f"Bearer {secret}"}).get(f"/api/v1{path}")


def fails(*arguments: str) -> int:
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    return caught.value.returncode


def roles(name: str) -> list[str]:
    return [group.name for group in User.objects.get(username=name).groups.all()]


def test_create_prints_the_secret_alone_and_it_works() -> None:
    output = run("create", "w1")
    assert output.count("\n") == 1
    assert get(output.strip()).status_code == 200
    account = User.objects.get(username="w1")
    assert (account.is_staff, account.has_usable_password(), roles("w1")) == (False, False, ["worker"])


def test_the_secret_is_stored_hashed_only() -> None:
    secret = run("create", "w1").strip()
    token = AuthToken.objects.get()
    assert secret not in (token.digest, token.token_key)


def test_an_account_is_limited_to_its_projects() -> None:
    red, blue = make_job(project="red"), make_job(project="blue")
    secret = run("create", "w1", "--role", "viewer", "--project", "red", "--project", "green").strip()
    assert [get(secret, f"/jobs/{job.pk}").status_code for job in (red, blue)] == [200, 404]


def test_an_existing_account_gets_another_token_and_keeps_what_is_not_named() -> None:
    run("create", "w1", "--role", "viewer", "--project", "red")
    run("create", "w1")
    assert (AuthToken.objects.count(), roles("w1")) == (2, ["viewer"])
    run("create", "w1", "--role", "worker", "--project", "blue")
    assert roles("w1") == ["worker"]
    assert [membership.project for membership in User.objects.get().memberships.all()] == ["blue"]


def test_an_account_may_have_several_roles() -> None:
    run("create", "tracker", "--role", "worker", "--role", "operator")
    account = User.objects.get(username="tracker")
    assert account.has_perms(["jobs.add_job", "jobs.retry_job"])
    run("create", "tracker", "--role", "viewer")
    assert list(account.groups.values_list("name", flat=True)) == ["viewer"]


def test_a_token_lasts_for_the_given_days() -> None:
    secret = run("create", "w1", "--days", "2").strip()
    token = AuthToken.objects.get()
    assert abs(token.expiry - timezone.now() - timedelta(days=2)) < timedelta(minutes=1)
    AuthToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert get(secret).status_code == 401


def test_list_shows_whose_tokens_there_are_and_no_secret() -> None:
    secret = run("create", "w1", "--project", "red", "--days", "9").strip()
    run("create", "w2")
    first, second = run("list").splitlines()
    assert first.split()[1:4] == ["w1", "worker", "red"]
    assert second.endswith("all projects  no expiry  never used")
    assert secret[:8] not in first


def test_revoke_by_name_ends_all_tokens_of_an_account_and_by_digest_one() -> None:
    secrets = [run("create", "w1").strip() for _ in range(3)]
    run("revoke", run("list").split()[0])
    assert sorted(get(secret).status_code for secret in secrets) == [200, 200, 401]
    run("revoke", "w1")
    assert {get(secret).status_code for secret in secrets} == {401}


def test_what_is_not_there_is_exit_code_3() -> None:
    assert fails("revoke", "unknown") == 3


def test_a_staff_or_switched_off_account_gets_no_token_and_exit_code_4() -> None:
    User.objects.create(username="olga", is_staff=True)
    User.objects.create(username="otto", is_active=False)
    assert [fails("create", name) for name in ("olga", "otto")] == [4, 4]
    assert not AuthToken.objects.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["create"],
        ["create", " "],
        ["create", "x" * 151],
        ["create", "w1", "--role", "boss"],
        ["create", "w1", "--days", "0"],
        ["create", "w1", "--days", "1.5"],
        ["create", "w1", "--project", ""],
        ["burn", "w1"],
    ],
)
def test_wrong_usage_is_refused_and_makes_nothing(arguments: Sequence[str]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)
    assert not User.objects.exists()


def test_rotate_prints_a_new_secret_and_ends_the_old_one_at_once_or_after_a_grace() -> None:
    first = run("create", "w1").strip()
    second = run("rotate", "w1").strip()
    assert [get(secret).status_code for secret in (first, second)] == [401, 200]
    third = run("rotate", "w1", "--grace-hours", "2").strip()
    assert [get(secret).status_code for secret in (second, third)] == [200, 200]
    assert "used 20" in run("list")
    assert fails("rotate", "w1") == 4
    assert fails("rotate", "unknown") == 3
    for hours in ("169", "-1", "x", "99999999999"):
        with pytest.raises(CommandError):
            run("rotate", "w1", "--grace-hours", hours)
