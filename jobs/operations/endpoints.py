"""Acts on endpoints, the receivers of outward events: add, change, test, rotate the secret, disable, remove."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_bytes
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.db import transaction
from django.utils import timezone

from jobs.change.audit import log_act
from jobs.db.deletion import delete
from jobs.models import Delivery, Endpoint
from jobs.models.outbox import DEFAULT_TYPES, EndpointFormat, EndpointKind
from jobs.operations.base import require_permission
from jobs.operations.receivers import once_per_project, require_project
from jobs.outbox import Outcome, try_out
from jobs.outbox.endpoint_leases import end_rest
from jobs.outbox.url_policy import check_url
from jobs.rules import names
from jobs.rules.errors import BadInput, NotFound
from jobs.rules.limits import ERROR_LENGTH, EVENT_TYPE_LENGTH, MOST_TYPES, NAME_LENGTH, PROJECT_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MANAGE = "manage_endpoints"
BROKER_URL = "amqp"
PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)
ROTATION = timedelta(days=1)
TAKEN = "There is an endpoint with this address for this project."


@dataclass(frozen=True, slots=True)
class Added:
    """A new endpoint, and its signing secret, which is shown only once (empty for the broker)."""

    endpoint: Endpoint
    secret: str


def add_endpoint(
    *,
    url: str,
    types: Sequence[str] | None = None,
    project: str = "",
    name: str = "",
    secret: str = "",
    format: str = EndpointFormat.JSON,
    actor: User | None,
) -> Added:
    """Deliver outward events to a webhook from now on, or with the url `amqp` to the broker of AMQP_URL.

    `types` are patterns such as `*.completed`. With a `project`, only the events of its jobs are sent. BadInput
    names the wrong field; Conflict (`endpoint_exists`) if the project has an endpoint with this address.
    """
    require_project(actor, MANAGE, receiver="An endpoint", project=names.plain(project))
    name, project = (
        names.clean(name, field="name", most=NAME_LENGTH),
        names.clean(project, field="project", most=PROJECT_LENGTH),
    )
    kind = EndpointKind.BROKER if url == BROKER_URL else EndpointKind.WEBHOOK
    if kind == EndpointKind.WEBHOOK:
        check_url(url)
        secret = _checked(secret) if secret else new_secret()
    elif not settings.AMQP_URL:
        raise BadInput({"url": "AMQP_URL is not set; set it to deliver to a broker."})
    endpoint = Endpoint(
        name=name,
        kind=kind,
        format=_checked_format(format),
        url=url,
        types=check_types(DEFAULT_TYPES if types is None else types),
        project=project,
        secret="" if kind == EndpointKind.BROKER else secret,
        account=actor,
        created_at=timezone.now(),
    )
    with once_per_project(TAKEN, code="endpoint_exists"):
        endpoint.save(force_insert=True)
        log_act(endpoint, f"Events: {', '.join(endpoint.types)}.", account=actor, flag=ADDITION)
    return Added(endpoint, endpoint.secret)


def change_endpoint(
    endpoint: Endpoint, *, url: str, types: Sequence[str], name: str = "", format: str = "", actor: User | None
) -> Endpoint:
    """Change the name, patterns and format of an endpoint, and the address of a webhook.

    Without a `format` it stays. Waiting deliveries go to the new address. BadInput names the wrong field; Conflict
    (`endpoint_exists`) if the project has another endpoint with this address.
    """
    with transaction.atomic():
        locked = _locked(endpoint, actor)
        if url != locked.url:
            _check_move(locked, url)
        locked.url, locked.types, locked.name = (
            url,
            check_types(types),
            names.clean(name, field="name", most=NAME_LENGTH),
        )
        locked.format = _checked_format(format or locked.format)
        with once_per_project(TAKEN, code="endpoint_exists"):
            locked.save(update_fields=["url", "types", "name", "format"])
        end_rest([locked.pk])
        log_act(locked, f"Address {url}, events: {', '.join(locked.types)}.", account=actor, flag=CHANGE)
    return locked


def _check_move(endpoint: Endpoint, url: str) -> None:
    """Refuse an address that this endpoint cannot have."""
    if endpoint.kind != EndpointKind.WEBHOOK:
        raise BadInput({"url": "The address of the broker is set by AMQP_URL."})
    check_url(url)


def remove_endpoint(endpoint: Endpoint, *, actor: User | None, reason: str = "") -> int:
    """Remove an endpoint with its deliveries; return the number of waiting ones.

    It is disabled first, and its deliveries are deleted in portions, so that no event waits for them. After an
    interruption a disabled endpoint is left, which can be removed again.
    """
    with transaction.atomic():
        locked = _locked(endpoint, actor)
        waiting = locked.deliveries.filter(status="waiting").count()
        log_act(locked, f"Removed with {waiting} waiting deliveries. {reason}".strip(), account=actor, flag=DELETION)
        Endpoint.objects.filter(pk=locked.pk).update(active=False, disabled_reason="It is being removed.")
    delete(Delivery.objects.filter(endpoint=locked))
    delete(Endpoint.objects.filter(pk=locked.pk))
    return waiting


def rotate_secret(endpoint: Endpoint, *, actor: User | None, keep: timedelta = ROTATION) -> str:
    """Give a webhook a new secret and return it. For as long as `keep`, the previous one signs too."""
    with transaction.atomic():
        locked = _locked(endpoint, actor)
        if locked.kind != EndpointKind.WEBHOOK:
            raise BadInput({"endpoint": "Messages to the broker are not signed; only a webhook has a secret."})
        secret = new_secret()
        Endpoint.objects.filter(pk=locked.pk).update(
            secret=secret, previous_secret=locked.secret, previous_until=timezone.now() + keep
        )
        log_act(locked, "A new secret.", account=actor, flag=CHANGE)
    return secret


def enable_endpoint(endpoint: Endpoint, *, actor: User | None) -> None:
    """Deliver new events to the endpoint again. Deliveries that died in the meantime need a replay."""
    _set_active(endpoint, actor=actor, active=True, reason="")


def disable_endpoint(endpoint: Endpoint, *, actor: User | None, reason: str = "") -> None:
    """Stop deliveries to the endpoint. The next pass of a deliverer marks its waiting ones as dead."""
    _set_active(endpoint, actor=actor, active=False, reason=reason or "Disabled by an operator.")


def try_endpoint(endpoint: Endpoint, *, actor: User | None) -> Outcome:
    """Send a test message now and return its outcome. It is not an event and is not stored."""
    require_project(actor, MANAGE, receiver="An endpoint", project=endpoint.project)
    return try_out(endpoint)


def check_types(types: Sequence[str]) -> list[str]:
    """Return the patterns without repetitions; BadInput if there are none, too many, or one is too long."""
    found = list(dict.fromkeys(types))
    if not 0 < len(found) <= MOST_TYPES or not all(0 < len(each.strip()) <= EVENT_TYPE_LENGTH for each in found):
        raise BadInput({"types": f"Enter 1 to {MOST_TYPES} patterns of at most {EVENT_TYPE_LENGTH} characters each."})
    return found


def new_secret() -> str:
    """Return a random secret in the format of Standard Webhooks."""
    return PREFIX + base64.b64encode(token_bytes(SECRET_BYTES[0])).decode()


def _checked(secret: str) -> str:
    try:
        raw = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) not in SECRET_BYTES:
        raise BadInput(
            {"secret": f"Enter {PREFIX} and 24 to 64 bytes in base64, or leave the secret empty to generate one."}
        )
    return PREFIX + secret.removeprefix(PREFIX)


def _checked_format(format: str) -> EndpointFormat:
    if format not in list(EndpointFormat):
        raise BadInput({"format": f"Enter one of: {', '.join(EndpointFormat)}."})
    return EndpointFormat(format)


def _locked(endpoint: Endpoint, actor: User | None) -> Endpoint:
    """Lock the endpoint, so that no event for it is written meanwhile; NotFound if it no longer exists."""
    require_permission(actor, MANAGE, permission=MANAGE)
    locked = Endpoint.objects.select_for_update().filter(pk=endpoint.pk).first()
    if locked is None:
        raise NotFound(f"There is no endpoint {endpoint.pk}.")
    require_project(actor, MANAGE, receiver="An endpoint", project=locked.project)
    return locked


def _set_active(endpoint: Endpoint, *, actor: User | None, active: bool, reason: str) -> None:
    with transaction.atomic():
        locked = _locked(endpoint, actor)
        Endpoint.objects.filter(pk=locked.pk).update(active=active, disabled_reason=reason[:ERROR_LENGTH])
        end_rest([locked.pk])
        log_act(locked, "Enabled." if active else reason, account=actor, flag=CHANGE)
