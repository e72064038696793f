"""Readers of environment variables. A wrong value stops the start with the name of its setting."""

from __future__ import annotations

import os
import re
import ssl
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

LONGEST_SECONDS = 31_536_000
TRUTHS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
USERLESS = ("redis", "rediss")  # a password needs no user
SECRET_LENGTH = 32
LABEL_LENGTH = 24
SECRET_VARIETY = 8
COOKIE_LENGTH = 50
PATH_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
# The first parts of the site's own paths: below one of them a path with and without the prefix would look the same.
OWN_PATHS = {"admin", "api", "badge", "client", "doctor", "healthz", "metrics", "readyz", "static", "ws"}
LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}

MAIL_SCHEMES = ("smtp", "smtp+tls", "smtp+ssl", "smtps")

env = environ.Env()


def text(name: str, default: str = "") -> str:
    """Return the setting's text without surrounding white space."""
    value: str = env.str(name, default=default)
    return value.strip()


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated list without empty entries."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def label(name: str) -> str:
    """Return a short text of one line; empty where it is not set."""
    value = text(name)
    if len(value) > LABEL_LENGTH or not value.isprintable():
        raise ImproperlyConfigured(f"Set {name} to at most {LABEL_LENGTH} printable characters.")
    return value


def boolean(name: str, *, default: bool) -> bool:
    """Return a boolean from 1/0, true/false, yes/no or on/off in any case."""
    value = text(name, "on" if default else "off").lower()
    if value not in TRUTHS:
        raise ImproperlyConfigured(f"Set {name} to on or off, not {value!r}.")
    return TRUTHS[value]


def integer(name: str, *, default: int, minimum: int, maximum: int) -> int:
    """Return an integer within its limits, written in plain digits."""
    value = _digits(name, default=default)
    if not minimum <= value <= maximum:
        raise ImproperlyConfigured(f"Set {name} to an integer from {minimum} to {maximum}, not {value}.")
    return value


def days(name: str, *, default: int) -> int:
    """Return a number of days, from 0 to a hundred years."""
    return integer(name, default=default, minimum=0, maximum=36_500)


def seconds(name: str, *, default: int) -> int:
    """Return a duration in whole seconds, from one second to one year."""
    return integer(name, default=default, minimum=1, maximum=LONGEST_SECONDS)


def percentage(name: str, *, default: int) -> int:
    """Return an integer percentage; numbers outside 0 to 100 are clamped to the nearer end."""
    return max(0, min(100, _digits(name, default=default)))


def url(name: str, *schemes: str, password: str = "") -> str:
    """Return a URL with one of the schemes, or an empty text if the setting is not given.

    A `password` with any characters is inserted if the URL has none: after its user, or without one as Redis takes it.
    """
    value = text(name)
    scheme = urlsplit(value).scheme
    if value and (scheme not in schemes or not (urlsplit(value).netloc or scheme == "unix")):
        raise ImproperlyConfigured(f"Set {name} to a URL with one of these schemes: {', '.join(schemes)}.")
    parts = urlsplit(value)
    user, at, host = parts.netloc.rpartition("@")
    if not value or not password or ":" in user or (not at and parts.scheme not in USERLESS):
        return value
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()


def public_url(name: str, *, hosts: list[str], https: bool) -> str:
    """Return the address of the site for links in messages, without a slash at its end.

    Default: the first public host. Where browsers need HTTPS, the address needs it too.
    """
    scheme = "https" if https else "http"
    host = next((each.lstrip(".") for each in hosts if each != "*"), "127.0.0.1:8000")
    value = text(name, f"{scheme}://{host}").rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
        raise ImproperlyConfigured(f"Set {name} to the address of the site, such as https://progress.example.com.")
    if https and parts.scheme != "https":
        raise ImproperlyConfigured(f"Start {name} with https://, or set HTTPS=off.")
    return value


def mail(name: str) -> dict[str, Any]:
    """Return Django's settings of a mail server from a URL such as smtp+tls://user:password@host:587."""
    value = text(name)
    if not value:
        return {}
    if urlsplit(value).scheme not in MAIL_SCHEMES or not urlsplit(value).hostname:
        raise ImproperlyConfigured(
            f"Set {name} to a URL such as smtp+tls://user:password@host:587, with one of these schemes: "
            f"{', '.join(MAIL_SCHEMES)}. In a password write @ / : # % as %40 %2F %3A %23 %25."
        )
    config: dict[str, Any] = env.email_url_config(value)
    del config["EMAIL_FILE_PATH"]
    return config


def sender(name: str, *, default: str) -> str:
    """Return the sender of mails: an address, or a name with an address in angle brackets."""
    value = text(name, default)
    if not re.fullmatch(r"[^<>\r\n]*<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+", value):
        raise ImproperlyConfigured(f"Set {name} to a mail address, such as Progress Site <progress@example.com>.")
    return value


def path_prefix(name: str) -> str:
    """Return the path below which the site is reached, such as /progress; empty for the root of its host."""
    value = text(name).strip("/")
    first = value.partition("/")[0]
    if first in OWN_PATHS or not all(re.fullmatch(PATH_PART, part) for part in value.split("/") if value):
        raise ImproperlyConfigured(
            f"Set {name} to a path such as /progress, which does not begin with {', '.join(sorted(OWN_PATHS))}."
        )
    return f"/{value}" if value else ""


def cookie_prefix(prefix: str) -> str:
    """Return the start of the cookies' names of a site below a path, so that they differ from those of its host."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", f"{prefix[1:]}-")[-COOKIE_LENGTH:] if prefix else ""


def token(name: str, *, default: str = "") -> str:
    """Return a part of a cookie's name: letters, digits, hyphens and underscores, or nothing."""
    value = text(name, default)
    if not re.fullmatch(rf"[A-Za-z0-9_-]{{0,{COOKIE_LENGTH}}}", value):
        raise ImproperlyConfigured(
            f"Set {name} to at most {COOKIE_LENGTH} letters, digits, hyphens and underscores, not {value!r}."
        )
    return value


def choice(name: str, *, default: str, of: tuple[str, ...]) -> str:
    """Return one of a few words, in any case."""
    value = text(name, default).upper()
    if value not in of:
        raise ImproperlyConfigured(f"Set {name} to one of {', '.join(of)}, not {value!r}.")
    return value


def secret(name: str, *, debug: bool) -> str:
    """Return the signing key; unless DEBUG is on it must be given and hard to guess."""
    value = text(name)
    if debug:
        return value or "debugging-only-key-that-signs-nothing-of-worth"
    if len(value) < SECRET_LENGTH or len(set(value)) < SECRET_VARIETY or value.startswith("django-insecure-"):
        raise ImproperlyConfigured(f"Set {name} to a random text of at least {SECRET_LENGTH} characters.")
    return value


def hosts(name: str, *, default: str, debug: bool) -> list[str]:
    """Return the served host names; '*' is refused unless DEBUG is on."""
    names = words(name, default)
    if not debug and "*" in names:
        raise ImproperlyConfigured(f"Name each host in {name}. '*' is allowed only with DEBUG=on.")
    return names


def networks(name: str, default: str = "") -> list[IPv4Network | IPv6Network]:
    """Return addresses and networks, such as 10.0.0.5 or 10.0.0.0/8."""
    try:
        return [ip_network(word) for word in words(name, default)]
    except ValueError as error:
        raise ImproperlyConfigured(f"Set {name} to addresses or networks such as 10.0.0.0/8: {error}.") from error


def bearer(name: str) -> str:
    """Return a bearer token, which is long and has no spaces; empty where none is given."""
    value = text(name)
    if value and not re.fullmatch(r"[!-~]{16,256}", value):
        raise ImproperlyConfigured(f"Set {name} to a random text of 16 to 256 characters without spaces.")
    return value


def folder(name: str) -> str:
    """Return a folder that the process can write, made if it is missing; empty where none is given."""
    value = text(name)
    if value:
        try:
            Path(value).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImproperlyConfigured(f"Set {name} to a folder that the site can write: {error}.") from error
        if not os.access(value, os.W_OK):
            raise ImproperlyConfigured(f"Set {name} to a folder that the site can write, not {value!r}.")
    return value


def certificates(name: str) -> str:
    """Return the path of a file with trusted certificates in PEM; empty where none is given."""
    value = text(name)
    if value:
        try:
            ssl.create_default_context(cafile=value)
        except (OSError, ssl.SSLError) as error:
            raise ImproperlyConfigured(f"Set {name} to a file of certificates in PEM: {error}.") from error
    return value


def origins(name: str) -> list[str]:
    """Return origins with their scheme, such as https://progress.example.com."""
    values = words(name)
    for value in values:
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc:
            raise ImproperlyConfigured(f"Set {name} to origins such as https://host, not {value!r}.")
    return values


def public(names: list[str]) -> list[str]:
    """Return the hosts that are reached from outside this machine."""
    return [name for name in names if name not in LOOPBACK]


def is_given(name: str) -> bool:
    """Is this setting in the environment or in the file?"""
    return name in env


def _digits(name: str, *, default: int) -> int:
    value: str = env.str(name, default=str(default))
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value):
        raise ImproperlyConfigured(f"Set {name} to an integer, not {value!r}.")
    return int(value)
