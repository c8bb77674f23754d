"""Addresses to send alerts to, through apprise. Nothing that is said of a channel holds any part of its address."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from lcw_assets.alerts.incidents import Alert
from lcw_assets.transport.threads import bounded, fan_out

if TYPE_CHECKING:
    from apprise import NotifyBase

# A mail server may take its time, and a look of a sensor a minute at most.
_SEND_S = 10.0

_ADDRESS = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)|\s+")


@dataclass(frozen=True)
class Channel:
    """One address of `LCW_ALERT_URLS`. `name` is its place there and its kind, such as `2 (Slack)`."""

    name: str
    _notifier: NotifyBase = field(repr=False)
    _address: str = field(repr=False)

    def send(self, alert: Alert, link: str | None) -> str | None:
        """Null if it was taken, else the reason. Takes at most 10 seconds and raises nothing."""
        try:
            why = bounded(partial(self._notify, alert, link), _SEND_S)
        except TimeoutError:
            return f"no answer within {_SEND_S:g} s"
        return self._blot_out(why) if why else None

    def _notify(self, alert: Alert, link: str | None) -> str | None:
        with _DISCRETION.listen() as said:
            try:
                if self._notifier.notify(body=body(alert, link), title=title(alert), notify_type=_kind(alert)):
                    return None
            except Exception as error:  # noqa: BLE001 - whatever a plug-in meets is what is wrong with this channel
                return f"{type(error).__name__}: {error}"
        return said[-1] if said else "refused, without a reason"

    def _blot_out(self, reason: str) -> str:
        """Without anything that stands in the address: user names, passwords, tokens, hosts."""
        address = f"{self._address} {unquote(self._address)}"
        parts = {part for part in re.split(r"[^A-Za-z0-9_.~-]+", address) if len(part) >= 3}
        for part in sorted(parts, key=len, reverse=True):
            reason = re.sub(re.escape(part), "***", reason, flags=re.IGNORECASE)
        return reason[:300]


def read_channels(addresses: str | None) -> tuple[list[Channel], dict[str, str]]:
    """The channels, and what is wrong with each address that is none, by its place (`1`, `2`, ...)."""
    if not addresses:
        return [], {}
    import apprise

    channels, wrong = [], {}
    for number, address in enumerate(filter(None, _ADDRESS.split(addresses.strip(" ,\t\n"))), 1):
        with _DISCRETION.listen():
            notifier = apprise.Apprise.instantiate(address, suppress_exceptions=True)
        if isinstance(notifier, apprise.NotifyBase):
            channels.append(Channel(f"{number} ({notifier.service_name})", notifier, address))
        else:
            wrong[str(number)] = (
                "no address that apprise can use: look at its beginning (slack://, mailto://) and what follows"
            )
    return channels, wrong


def send_all(channels: Sequence[Channel], alert: Alert, link: str | None) -> dict[str, str | None]:
    """Send to all at once. By channel: null if it took the alert, else the reason why not."""
    tasks = [partial(channel.send, alert, link) for channel in channels]
    return {channels[index].name: result() for index, result in fan_out(tasks, max(1, len(tasks)))}


def title(alert: Alert) -> str:
    state = alert.kind if alert.kind in ("recovered", "news") else alert.severity
    return f"lcw-assets {state}: {alert.incident}"


def body(alert: Alert, link: str | None) -> str:
    lasts = "" if alert.kind == "news" else f", for {_span(alert.raised_at - alert.since)}"
    lines = [
        alert.what if alert.kind != "recovered" else f"Over. It was: {alert.what}",
        f"Since: {alert.since:%Y-%m-%d %H:%M:%S} UTC{lasts}",
        *([f"Likely cause: {alert.cause}"] if alert.cause else []),
        *([f"Run: {link}"] if link else []),
    ]
    return "\n".join(lines)


def _span(time: timedelta) -> str:
    seconds = max(0.0, time.total_seconds())
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _kind(alert: Alert) -> str:
    if alert.kind == "recovered":
        return "success"
    return "info" if alert.kind == "news" else "failure" if alert.severity == "critical" else "warning"


class _Discretion(logging.Filter):
    """Keeps what apprise logs, and while a thread sends also what urllib3 logs, from everybody else's logs: addresses
    are full of secrets. What apprise complains of in this thread is in `said`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()

    @property
    def said(self) -> list[str] | None:
        return getattr(self._local, "said", None)

    @contextmanager
    def listen(self) -> Iterator[list[str]]:
        for name in ("apprise", "urllib3.connectionpool"):
            logging.getLogger(name).addFilter(self)
        said: list[str] = []
        self._local.said = said
        try:
            yield said
        finally:
            self._local.said = None

    def filter(self, record: logging.LogRecord) -> bool:
        if self.said is None:
            return record.name != "apprise"
        if record.name == "apprise" and record.levelno >= logging.WARNING:
            self.said.append(record.getMessage())
        return False


_DISCRETION = _Discretion()
