"""Addresses and keys that a user sets: which are refused, and how they are shown."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

# The 128 bits of a UUID, which most keys are, fit into no fewer than 20 characters that can be typed. A shorter
# one may be a word, such as the code of a coin, and would be removed from all data.
SHORTEST_KEY = 20


def key_fault(key: str, title: str, hint: str) -> str | None:
    """What is wrong with an API key of `title`, without any part of it. `hint` describes a right one."""
    if not (key.isascii() and key.isprintable()):
        return "it holds a character that no HTTP header can carry"
    if len(key) < SHORTEST_KEY or " " in key:
        return f"{len(key)} characters are no key of {title}" + (f", {hint}" if hint else "")
    return None


def _http_address(address: str) -> str:
    """The address of a server, without a slash at its end. Errors and facts show it, so it may contain no password."""
    try:
        parts = urlsplit(address)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or any(sign in address for sign in "@?#") or not address.isprintable() or " " in address:
        raise ValueError("it must look like https://host or http://host:port, without user name or query")
    return address.rstrip("/")


def _without_user(address: str) -> str:
    """The address without its user name and password: a browser prompts for them."""
    return re.sub(r"(?s)^([a-zA-Z][a-zA-Z0-9+.-]*://)?.*@", r"\1", address)


HttpAddress = Annotated[str, AfterValidator(_http_address)]

# One that people see, as in an alert.
ShownAddress = Annotated[str, AfterValidator(_without_user)]


def shown(value: str) -> str:
    """A setting's value as it may be shown: before an @ there may be a password, and in a query as well."""
    return re.sub(r"(?s)\?.*", "?***", re.sub(r"(?s)^([a-zA-Z][a-zA-Z0-9+.-]*://)?.*@", r"\1***@", value))
