"""Accounts, groups and memberships. A superuser edits all of them, other accounts only those within their reach.

In Django, one permission is enough to give out every other one. Here the rule of tokens applies. The editing account
must have at least the permissions and projects of the edited account, before the change and after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.access import check_account, granted, limited_to, lock_account
from jobs.api.token_cache import forget_when_committed
from jobs.change import Actor
from jobs.change.audit import record_activity
from jobs.console.admin.change_list import ListMixin, PermissionFirst
from jobs.console.admin.columns import isolated
from jobs.console.templatetags.progress_pages import clock
from jobs.models import Membership
from jobs.models.jobs import projects_of
from jobs.rules import names
from jobs.rules.errors import BadInput, NotFound, NotPermitted
from jobs.rules.formatting import DASH

MOST_SUGGESTED = 500

admin.site.unregister(User)
admin.site.unregister(Group)


def _actor(request: HttpRequest) -> Actor:
    assert isinstance(request.user, User)
    return Actor(account=request.user)


def covers(request: HttpRequest, account: User) -> bool:
    """Return whether the editing account has at least the permissions and projects of this one."""
    assert isinstance(request.user, User)
    try:
        check_account(account, by=request.user)
    except NotPermitted:
        return False
    return True


def permissions_of(request: HttpRequest) -> QuerySet[Permission]:
    """Return the permissions that the account may give out: its own."""
    assert isinstance(request.user, User)
    every = Permission.objects.select_related("content_type")
    if request.user.is_superuser:
        return every
    names = granted(request.user)
    return every.filter(pk__in=[each.pk for each in every if f"{each.content_type.app_label}.{each.codename}" in names])


def groups_of(request: HttpRequest) -> QuerySet[Group]:
    """Return the groups that give no permission beyond those of the account."""
    beyond = Permission.objects.exclude(pk__in=permissions_of(request).values("pk"))
    return Group.objects.exclude(permissions__in=beyond)


def within_reach(request: HttpRequest, accounts: QuerySet[User]) -> QuerySet[User]:
    """Return all of these accounts; for a limited account those of its projects."""
    projects = projects_of(request.user)
    return accounts if projects is None else limited_to(accounts, projects)


class AccessAdmin(ListMixin, admin.ModelAdmin):
    """Rows that decide about the access of tokens: a change of them is effective at once in this process.

    Django writes the admin's log for them; the activity has the same.
    """

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Record an addition."""
        return self._recorded(request, super().log_addition(request, obj, message), obj, "add")

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Record a change."""
        return self._recorded(request, super().log_change(request, obj, message), obj, "change")

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Record deletions."""
        rows = list(queryset)
        for row in rows:
            record_activity("delete", by=_actor(request), target=row)
        return super().log_deletions(request, queryset)

    def _recorded(self, request: HttpRequest, entry: Any, row: Any, act: str) -> Any:
        record_activity(act, by=_actor(request), target=row, detail=entry.get_change_message())
        return entry

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save, and forget the access that was read before."""
        super().save_related(request, form, formsets, change)
        forget_when_committed()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete, and forget the access that was read before."""
        super().delete_model(request, obj)
        forget_when_committed()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete, and forget the access that was read before."""
        super().delete_queryset(request, queryset)
        forget_when_committed()


@admin.register(User)
class AccountAdmin(PermissionFirst, AccessAdmin, UserAdmin):
    """Accounts within the reach of the signed-in one."""

    noun_one, noun_many = "account", "people"
    list_display = ("username", "email", "full_name", "roles", "is_staff", "is_active", "last_sign_in")
    more_columns = ("joined", "is_superuser")
    fieldsets = (*(UserAdmin.fieldsets or ())[:-1], ("Dates", {"fields": ("last_sign_in", "joined")}))
    filter_horizontal = ()

    @admin.display(description="Name", ordering="first_name")
    def full_name(self, account: User) -> SafeString | str:
        """The first and the last name."""
        return isolated(account.get_full_name())

    @admin.display(description="Roles")
    def roles(self, account: User) -> str:
        """The groups."""
        return ", ".join(sorted(group.name for group in account.groups.all())) or DASH

    @admin.display(description="Last sign-in", ordering="last_login")
    def last_sign_in(self, account: User) -> SafeString | str:
        """The time of the last sign-in."""
        return clock(account.last_login)

    @admin.display(description="Created", ordering="date_joined")
    def joined(self, account: User) -> SafeString | str:
        """The time when the account was created."""
        return clock(account.date_joined)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Return all accounts; for a limited account those of its projects."""
        return within_reach(request, super().get_queryset(request).prefetch_related("groups"))

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """Lock the account before its permissions are compared."""
        with transaction.atomic():
            _lock(request, object_id)
            return super().changeform_view(request, object_id, *args, **kwargs)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Lock the account before its permissions are compared."""
        with transaction.atomic():
            _lock(request, id)
            return super().user_change_password(request, id, form_url)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Refuse a change that gives the account more than the editing account has."""
        super().save_related(request, form, formsets, change)
        if not covers(request, form.instance):
            raise PermissionDenied

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse a limited account: a new account sees every project."""
        return super().has_add_permission(request) and projects_of(request.user) is None

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Allow only accounts within reach."""
        return super().has_change_permission(request, obj) and (obj is None or covers(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Allow only accounts within reach."""
        return super().has_delete_permission(request, obj) and (obj is None or covers(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Protect the times that the site records, and `is_superuser` from accounts that are no superusers."""
        fields = (*super().get_readonly_fields(request, obj), "last_sign_in", "joined")
        return fields if request.user.is_superuser else (*fields, "is_superuser")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the groups and permissions of the editing account."""
        if db_field.name == "groups":
            kwargs |= {"queryset": groups_of(request), "widget": forms.CheckboxSelectMultiple}
        if db_field.name == "user_permissions":
            kwargs |= {"queryset": permissions_of(request), "widget": forms.CheckboxSelectMultiple}
        return super().formfield_for_manytomany(db_field, request, **kwargs)


@admin.register(Group)
class RoleAdmin(PermissionFirst, AccessAdmin, GroupAdmin):
    """Roles. A change affects all their accounts, so an account that is limited to projects may not edit them."""

    noun_one, noun_many = "role", "roles"
    filter_horizontal = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Allow only unlimited accounts."""
        return super().has_add_permission(request) and projects_of(request.user) is None

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Allow only unlimited accounts that have all permissions of the role."""
        return super().has_change_permission(request, obj) and _may_edit(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Allow only unlimited accounts that have all permissions of the role."""
        return super().has_delete_permission(request, obj) and _may_edit(request, obj)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        """Offer the permissions of the editing account."""
        if db_field.name == "permissions" and request is not None:
            kwargs |= {"queryset": permissions_of(request), "widget": forms.CheckboxSelectMultiple}
        return super().formfield_for_manytomany(db_field, request, **kwargs)


def _may_edit(request: HttpRequest, group: Group | None) -> bool:
    if projects_of(request.user) is not None:
        return False
    return group is None or groups_of(request).filter(pk=group.pk).exists()


class AccountName(forms.TextInput):
    """A text field for the name of an account, with suggestions."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(attrs={"list": "account-names", "autocomplete": "off"})
        self.names = names

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Add the suggestions behind the field."""
        options = format_html_join("", '<option value="{}"></option>', ((each,) for each in self.names))
        field = super().render(name, value, attrs, renderer)
        return format_html('{}<datalist id="account-names">{}</datalist>', field, options)


def suggested_names(request: HttpRequest) -> list[str]:
    """Return the names of accounts that the editing account may see; none without that permission."""
    if not (request.user.has_perm("auth.view_user") or request.user.has_perm("auth.change_user")):
        return []
    found = within_reach(request, User.objects.filter(is_active=True)).order_by("username")
    return list(found.values_list("username", flat=True)[:MOST_SUGGESTED])


class MembershipForm(forms.ModelForm):
    """A membership with the project in the form that jobs store."""

    def clean_project(self) -> str:
        """Return the project in the form that jobs store."""
        try:
            return names.clean(self.cleaned_data["project"], field="project")
        except BadInput as error:
            raise forms.ValidationError(error.errors["project"]) from error


@admin.register(Membership)
class MembershipAdmin(PermissionFirst, AccessAdmin):
    """Memberships: the projects that limit an account. Only a superuser changes those of the own account."""

    form = MembershipForm
    list_display = ("user", "project")
    list_select_related = ("user",)
    search_fields = ("=user__username", "=project")
    show_full_result_count = False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Ask for the name of the account, with the names that the editing account may see as suggestions."""
        if db_field.name == "user":
            kwargs |= {"to_field_name": "username", "widget": AccountName(suggested_names(request))}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        """Return all memberships; for a limited account those of its projects."""
        rows: QuerySet[Membership] = super().get_queryset(request)
        projects = projects_of(request.user)
        return rows if projects is None else rows.filter(project__in=projects)

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        """Protect the account of an existing membership."""
        return ("user",) if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        """Allow only memberships of accounts within reach."""
        return super().has_change_permission(request, obj) and (obj is None or _may_limit(request, obj.user))

    def has_delete_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        """Allow only memberships of accounts within reach."""
        return super().has_delete_permission(request, obj) and (obj is None or _may_limit(request, obj.user))

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        """Refuse a change of an account that is or would be beyond reach."""
        with _limiting(request, [obj.user_id]):
            super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        """Refuse a deletion that puts the account beyond reach: without a membership it sees every project."""
        with _limiting(request, [obj.user_id]):
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        """Delete all memberships or none."""
        with _limiting(request, sorted(set(queryset.values_list("user_id", flat=True)))):
            super().delete_queryset(request, queryset)


def _may_limit(request: HttpRequest, account: User) -> bool:
    return request.user.is_superuser or (account.pk != request.user.pk and covers(request, account))


@contextmanager
def _limiting(request: HttpRequest, accounts: Sequence[int]) -> Iterator[None]:
    """Guard a change of memberships; PermissionDenied where an account is beyond reach before or after it."""
    with transaction.atomic():
        locked = [lock_account(pk) for pk in accounts]
        if not all(_may_limit(request, account) for account in locked):
            raise PermissionDenied
        yield
        if not all(covers(request, account) for account in locked):
            raise PermissionDenied


def _lock(request: HttpRequest, account_id: str | None) -> None:
    if request.method == "POST" and account_id and account_id.isascii() and account_id.isdigit():
        with suppress(NotFound):
            lock_account(int(account_id))
