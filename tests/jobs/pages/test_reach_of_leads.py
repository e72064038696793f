"""An account acts for others that may no more and see no more than it does: every act, every kind of account."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from knox.models import AuthToken

from jobs import operations
from jobs.api import tokens
from jobs.models import Endpoint, Job, Membership
from jobs.operations import bulk
from jobs.rules.errors import NotFound, NotPermitted, Refused
from tests.factories import make_job
from tests.jobs import bulk_acts
from tests.jobs.pages.conftest import Browser
from tests.jobs.races.concurrency import threads

EDITS = ["view_user", "change_user", "delete_user", "view_group", "change_group"]
LIMITS = ["add_membership", "change_membership", "delete_membership", "view_membership"]
USERS, MEMBERSHIPS = "/admin/auth/user/", "/admin/jobs/membership/"


def account(kind: str) -> User:
    """An account with a token: where it stands towards a lead of project `a`."""
    projects = {"inside": "a", "outside": "b", "partly outside": "ab", "unlimited": "", "superuser": "a"}.get(kind, "a")
    made = User.objects.create(username="theirs", is_superuser=kind == "superuser", is_staff=kind == "staff")
    made.groups.set(Group.objects.filter(name="worker"))
    Membership.objects.bulk_create([Membership(user=made, project=project) for project in projects])
    if kind == "stronger":
        made.user_permissions.set(Permission.objects.filter(codename="add_group"))
    AuthToken.objects.create(made)
    if kind == "inactive":
        User.objects.filter(pk=made.pk).update(is_active=False)
    return made


def state(pk: int) -> Any:
    """All that an act could change of it."""
    found = User.objects.filter(pk=pk).values("username", "password", "is_active", "is_staff", "is_superuser").first()
    groups = sorted(Group.objects.filter(user=pk).values_list("name", flat=True))
    rights = sorted(Permission.objects.filter(user=pk).values_list("codename", flat=True))
    limits = sorted(Membership.objects.filter(user=pk).values_list("project", flat=True))
    return found, groups, rights, limits, sorted(AuthToken.objects.filter(user=pk).values_list("pk", flat=True))


def form(made: User, **fields: Any) -> dict[str, Any]:
    """The form of an account as the admin sends it."""
    return {"username": made.username, "is_active": "on", "first_name": "Changed", **fields}


def issue(lead: Browser, made: User) -> None:
    answers = {"account": made.username, "role": ["viewer"], "projects": "a"}
    lead.client.post("/admin/tokens/issue/", answers)


def rotate(lead: Browser, made: User) -> None:
    tokens.rotate(AuthToken.objects.get(user=made), by=lead.account)


def revoke(lead: Browser, made: User) -> None:
    tokens.revoke(AuthToken.objects.get(user=made), by=lead.account)


def edit(lead: Browser, made: User) -> None:
    lead.client.post(f"{USERS}{made.pk}/change/", form(made, groups=[Group.objects.get(name="viewer").pk]))


def password(lead: Browser, made: User) -> None:
    new = {"password1": "a-long-new-password", "password2": "a-long-new-password", "usable_password": "true"}
    lead.client.post(f"{USERS}{made.pk}/password/", new)


def delete(lead: Browser, made: User) -> None:
    AuthToken.objects.filter(user=made).delete()
    lead.client.post(f"{USERS}{made.pk}/delete/", {"post": "yes"})


def delete_ticked(lead: Browser, made: User) -> None:
    AuthToken.objects.filter(user=made).delete()
    lead.client.post(USERS, {"action": "delete_selected", "_selected_action": [made.pk], "post": "yes"})


def add_membership(lead: Browser, made: User) -> None:
    lead.client.post(f"{MEMBERSHIPS}add/", {"user": made.username, "project": "a2"})


ACTS = {
    "issue": issue,
    "rotate": rotate,
    "revoke": revoke,
    "edit": edit,
    "password": password,
    "delete": delete,
    "delete ticked": delete_ticked,
    "add membership": add_membership,
}
REFUSED = ["outside", "partly outside", "unlimited", "superuser", "stronger"]
FOR_TOKENS = {"staff": ["issue", "rotate"], "inactive": ["issue", "rotate"]}


def lead_of(*projects: str) -> Browser:
    """A lead who may edit accounts and memberships too, and is limited to these projects."""
    lead = Browser("lead", projects=projects)
    lead.account.user_permissions.set(Permission.objects.filter(codename__in=[*EDITS, *LIMITS]))
    return lead


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("kind", ["inside", "staff", "inactive", *REFUSED])
def test_a_limited_lead_acts_for_accounts_within_its_reach_and_leaves_all_others_as_they_are(
    db: None, kind: str, act: str
) -> None:
    lead, made = lead_of("a", "a2"), account(kind)
    before = state(made.pk)
    with suppress(Refused):
        ACTS[act](lead, made)
    allowed = kind not in REFUSED and act not in FOR_TOKENS.get(kind, [])
    after = state(made.pk)
    if "delete" in act:
        before, after = before[:4], after[:4]
    assert (after != before) == allowed


@pytest.mark.parametrize("role", ["lead", "worker"])
def test_an_unlimited_lead_acts_for_accounts_of_every_project_but_not_for_stronger_ones(db: None, role: str) -> None:
    lead = lead_of()
    for kind in ("inside", "outside", "unlimited"):
        made = account(kind)
        made.groups.set(Group.objects.filter(name=role))
        tokens.issue("theirs", by=lead.account)
        made.delete()
    for kind in ("superuser", "stronger"):
        made = account(kind)
        before = state(made.pk)
        with pytest.raises(Refused):
            tokens.issue("theirs", roles=["worker"], by=lead.account)
        assert state(made.pk) == before
        made.delete()


def test_a_new_account_gets_no_more_than_the_lead_has(db: None) -> None:
    lead = lead_of("a")
    for projects in (None, [], ["b"], ["a", "b"]):
        with pytest.raises(Refused):
            tokens.issue("new", projects=projects, by=lead.account)
    assert not User.objects.filter(username="new").exists()
    assert tokens.issue("new", projects=["a"], by=lead.account)


def test_the_command_acts_for_the_system_and_takes_every_account_but_staff(db: None) -> None:
    account("outside")
    call_command("token", "create", "theirs", "--project", "c", "--role", "viewer")
    assert state(User.objects.get(username="theirs").pk)[1:4] == (["viewer"], [], ["c"])


@pytest.mark.parametrize("page", ["issue", "rotate", "revoke"])
def test_every_page_of_tokens_asks_the_one_check_that_an_account_is_within_reach(
    db: None, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    lead, made = lead_of("a"), account("inside")
    asked: list[tuple[str, User]] = []

    def refuse(account: User, *, by: User) -> None:
        asked.append((account.username, by))
        raise NotPermitted("Refused by the check.")

    monkeypatch.setattr(tokens, "check_account", refuse)
    token, before = AuthToken.objects.get(user=made), state(made.pk)
    answers = {"account": made.username, "role": ["worker"], "projects": "a", "grace": "0"}
    response = lead.client.post(f"/admin/tokens/{page}/?token={token.digest[:12]}", answers, follow=True)
    assert asked[:1] == [("theirs", lead.account)]
    assert b"Refused by the check." in response.content
    assert state(made.pk) == before


def test_an_account_does_not_lift_its_own_limits_nor_those_of_others(db: None) -> None:
    lead, made = lead_of("a", "a2"), account("inside")
    own = Membership.objects.filter(user=lead.account).first()
    theirs = Membership.objects.get(user=made)
    assert own is not None
    for membership in (own, theirs):
        assert lead.client.post(f"{MEMBERSHIPS}{membership.pk}/delete/", {"post": "yes"}).status_code == 403
        lead.client.post(f"{MEMBERSHIPS}{membership.pk}/change/", {"user": lead.account.pk, "project": "b"})
    ticked = Membership.objects.filter(user=made)
    Membership.objects.create(user=made, project="a2")
    every = {"action": "delete_selected", "_selected_action": [row.pk for row in ticked], "post": "yes"}
    lead.client.post(MEMBERSHIPS, every)
    lead.client.post(f"{MEMBERSHIPS}add/", {"user": lead.account.username, "project": "b"})
    assert state(made.pk)[3] == ["a", "a2"]
    assert state(lead.account.pk)[3] == ["a", "a2"]
    lead.client.post(f"{MEMBERSHIPS}{theirs.pk}/delete/", {"post": "yes"})
    assert state(made.pk)[3] == ["a2"]


def test_a_form_gives_only_groups_and_permissions_that_its_editor_has_and_makes_no_superuser(db: None) -> None:
    lead, made = lead_of("a"), account("inside")
    strong = Group.objects.create(name="strong")
    strong.permissions.set(Permission.objects.filter(codename="add_group"))
    right = Permission.objects.get(codename="add_group")
    asked = f"{USERS}{made.pk}/change/"
    lead.client.post(asked, form(made, groups=[strong.pk]))
    lead.client.post(asked, form(made, user_permissions=[right.pk]))
    assert state(made.pk)[1:3] == (["worker"], [])
    lead.client.post(asked, form(made, is_superuser="on"))
    assert not User.objects.get(pk=made.pk).is_superuser


def test_a_group_is_edited_by_those_who_have_all_of_it_and_see_every_project(db: None) -> None:
    right = Permission.objects.get(codename="add_group")
    mine = Group.objects.create(name="mine")
    asked = f"/admin/auth/group/{mine.pk}/change/"
    assert lead_of("a").client.post(asked, {"name": "limited"}).status_code == 403
    lead = lead_of()
    lead.client.post(asked, {"name": "stronger", "permissions": [right.pk]})
    assert lead.client.post(asked, {"name": "changed"}).status_code == 302
    mine.permissions.set([right])
    assert lead.client.post(asked, {"name": "again"}).status_code == 403
    assert list(Group.objects.filter(pk=mine.pk).values_list("name", flat=True)) == ["changed"]


@pytest.mark.parametrize("project", ["a", "b", ""])
def test_an_endpoint_is_acted_on_within_the_projects_of_the_lead(db: None, project: str) -> None:
    added = operations.add_endpoint(url="https://example.com/x", project=project, actor=None).endpoint
    lead = lead_of("a").account
    change = partial(operations.change_endpoint, url=added.url, types=["*"], actor=lead)
    for act in (
        partial(change, added),
        partial(operations.rotate_secret, added, actor=lead),
        partial(operations.disable_endpoint, added, actor=lead),
        partial(operations.enable_endpoint, added, actor=lead),
        partial(operations.remove_endpoint, added, actor=lead),
    ):
        before = Endpoint.objects.filter(pk=added.pk).values().first()
        with suppress(NotPermitted):
            act()
        assert (Endpoint.objects.filter(pk=added.pk).values().first() != before) == (project == "a")


def test_a_bulk_act_does_nothing_beyond_the_projects_of_its_account_and_is_stopped_only_by_those_who_see_it(
    db: None,
) -> None:
    lead, jobs = lead_of("a").account, [make_job(project=project) for project in ("a", "b", "")]
    bulk_acts.begun("pause", jobs, actor=lead)
    theirs = bulk_acts.begun("pause", jobs, actor=lead_of().account)
    with pytest.raises(NotFound):
        bulk.stop_bulk_act(theirs, actor=lead)
    bulk.stop_bulk_act(theirs, actor=lead_of().account)
    bulk.run_bulk_acts(seconds=10)
    assert [Job.objects.get(pk=job.pk).status for job in jobs] == ["paused", "pending", "pending"]


@pytest.mark.django_db(transaction=True)
def test_two_leads_who_name_the_same_new_account_at_once_do_not_share_it() -> None:
    leads = {project: lead_of(project).account for project in "ab"}
    with threads(2) as team:
        for number in range(6):
            name = f"new-{number}"
            answers = team.at_once(
                *[partial(tokens.issue, name, projects=[project], by=by) for project, by in leads.items()]
            )
            assert sorted(isinstance(answer, Refused) for answer in answers) == [False, True]
            made = User.objects.get(username=name)
            assert (len(state(made.pk)[3]), made.auth_token_set.count()) == (1, 1)
