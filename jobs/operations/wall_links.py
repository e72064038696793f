"""Acts on links of the wall: give one out, revoke it; and the use of one."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from django.contrib.admin.models import ADDITION, CHANGE
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from jobs.access import lock_account, require
from jobs.change.audit import log_act
from jobs.models import SavedView, WallLink
from jobs.models.jobs import projects_of
from jobs.models.wall_links import WallLinkQuerySet
from jobs.rules import names
from jobs.rules.errors import BadInput, NotFound
from jobs.rules.limits import VIEW_NAME_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PERMISSION = "manage_wall_links"
MOST_LINKS = 50
LIST = "jobs_job"
SECRET_LENGTH = 32
USE_WRITTEN_EVERY = timedelta(minutes=1)


def give_wall_link(label: str, *, view: SavedView | None, days: int, by: User) -> tuple[WallLink, str]:
    """Create a link; return it and its secret, which is not stored. BadInput names the wrong field."""
    require(by, PERMISSION)
    label = names.clean(label, field="label", most=VIEW_NAME_LENGTH)
    if not label:
        raise BadInput({"label": "Enter where the wall is, such as “Office”."})
    now, secret = timezone.now(), secrets.token_urlsafe(SECRET_LENGTH)
    with transaction.atomic():
        account = lock_account(by.pk)
        if WallLink.objects.valid(now).filter(created_by=account).count() >= MOST_LINKS:
            raise BadInput({"label": f"Revoke one of your {MOST_LINKS} links first."})
        link = WallLink.objects.create(
            label=label,
            digest=digest_of(secret),
            view=view,
            created_by=account,
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        log_act(link, f"Link of the wall given out for {days} days.", account=by, flag=ADDITION, act="give")
    return link, secret


def revoke_wall_link(pk: int, *, by: User) -> WallLink:
    """End a link. NotFound for one that this account may not revoke."""
    require(by, PERMISSION)
    with transaction.atomic():
        link = manageable_wall_links(by).filter(pk=pk).first()
        if link is None:
            raise NotFound("This link does not exist, or it is not yours.")
        if WallLink.objects.filter(pk=pk, revoked_at=None).update(revoked_at=timezone.now()):
            log_act(link, "Link of the wall revoked.", account=by, flag=CHANGE, act="revoke")
    return link


def manageable_wall_links(user: User) -> WallLinkQuerySet:
    """Return the links that this account may revoke: all, or its own where it is limited to projects."""
    own = Q() if projects_of(user) is None else Q(created_by=user)
    return WallLink.objects.filter(own)


def usable_views(user: User) -> list[SavedView]:
    """Return the saved views of jobs that this account may give out."""
    seen = SavedView.objects.visible_to(user.pk, is_limited=projects_of(user) is not None)
    return list(seen.filter(list_name=LIST))


def wall_link_of(secret: str, *, now: datetime) -> WallLink | None:
    """Return the link of this secret while it is valid, and record its use once a minute."""
    found = WallLink.objects.valid(now).filter(digest=digest_of(secret))
    link = found.select_related("created_by", "view").first()
    if link and (link.last_used_at is None or now - link.last_used_at >= USE_WRITTEN_EVERY):
        WallLink.objects.filter(pk=link.pk).update(last_used_at=now)
    return link


def digest_of(secret: str) -> str:
    """Return the digest that is stored for a secret."""
    return sha256(secret.encode("utf-8", "replace")).hexdigest()
