"""Addresses to send alerts to, through apprise. No name and no reason contains any part of an address."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from lcw_assets import escape
from lcw_assets.alerts.incidents import Alert
from lcw_assets.alerts.plugin_log import Captured, PluginLog
from lcw_assets.transport.threads import bounded, fan_out

if TYPE_CHECKING:
    from apprise import NotifyBase

# A mail server may be slow, and an evaluation of a sensor may take a minute at most.
_SEND_S = 10.0

# Values in an address that are not secret, and that reasons may contain.
_MODES = {"starttls", "ssl", "insecure"}

_ADDRESS = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)|\s+")


@dataclass(frozen=True)
class Channel:
    """One address of `LCW_ALERT_URLS`. `name` is its position there and its kind, such as `2 (Slack)`."""

    name: str
    _notifier: NotifyBase = field(repr=False)
    _address: str = field(repr=False)

    def send(self, alert: Alert, link: str | None) -> str | None:
        """Null if it took the alert, else the reason. Takes at most 10 seconds and raises nothing."""
        try:
            why = bounded(partial(self._notify, alert, link), _SEND_S)
        except TimeoutError:
            return f"no response within {_SEND_S:g} s"
        return self._without_address(why) if why else None

    def _notify(self, alert: Alert, link: str | None) -> str | None:
        from apprise import NotifyFormat, NotifyType

        with _PLUGIN_LOG.capture() as log:
            try:
                # Declared as text, it is escaped for mail that is HTML and chats that have a markup.
                if self._notifier.notify(
                    body=escape.chat(body(alert, link)),
                    title=escape.chat(title(alert)),
                    body_format=NotifyFormat.TEXT,
                    notify_type=NotifyType(_kind(alert)),
                ):
                    return None
            except Exception as error:  # noqa: BLE001 - any error of a plug-in is a fault of this channel
                no_bundle = "CA certificate bundle" in str(error)  # requests names the path alone
                who = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE" if no_bundle else type(error).__name__
                log.warnings.append(f"{who}: {error}")
        return _why(log)

    def _without_address(self, reason: str) -> str:
        """A reason without any part of the address: user names, passwords, tokens, hosts."""
        for part in sorted(_parts(self._address), key=len, reverse=True):
            reason = re.sub(re.escape(part), "***", reason, flags=re.IGNORECASE)
        return escape.line(reason, 300)


def read_channels(addresses: str | None) -> tuple[list[Channel], dict[str, str]]:
    """The channels, and what is wrong with each invalid address, by its position (`1`, `2`, ...)."""
    if not addresses:
        return [], {}
    import apprise

    channels, wrong = [], {}
    for number, address in enumerate(filter(None, _ADDRESS.split(addresses.strip(" ,\t\n"))), 1):
        with _PLUGIN_LOG.capture():
            notifier = apprise.Apprise.instantiate(address, suppress_exceptions=True)
        if isinstance(notifier, apprise.NotifyBase):
            # A POST that is redirected goes on as a GET, without the message, and a page there responds with 200.
            notifier.redirects = False
            channels.append(Channel(f"{number} ({notifier.service_name})", notifier, address))
        else:
            wrong[str(number)] = (
                "no address that apprise can use: check its beginning (slack://, mailto://) and what follows"
            )
    return channels, wrong


def send_all(channels: Sequence[Channel], alert: Alert, link: str | None) -> dict[str, str | None]:
    """Send to all at once. By channel: null if it took the alert, else the reason why not."""
    tasks = [partial(channel.send, alert, link) for channel in channels]
    results = {index: result() for index, result in fan_out(tasks, max(1, len(tasks)))}
    return {channel.name: results[index] for index, channel in enumerate(channels)}


def _parts(address: str) -> Iterator[str]:
    """What must not be shown of an address: all but its scheme, the names in its query, and modes."""
    rest, _, query = address.partition("://")[2].partition("?")
    given = [value or name for name, value in parse_qsl(query, keep_blank_values=True)]
    texts = [rest, unquote(rest), *(value for value in given if value.lower() not in _MODES)]
    return (part for text in texts for part in re.split(r"[^A-Za-z0-9_.~-]+", text) if len(part) >= 3)


def _why(log: Captured) -> str:
    """Why a channel did not take an alert: the warnings of its plug-in, which has no fields for them, and the error."""
    # A mail server's message about one of several recipients is in the warning itself, as b'...'.
    warnings = re.sub(r"\bb(['\"])(.*?)\1", r"\2", "; ".join(warning.rstrip(".") for warning in log.warnings[-3:]))
    if re.search(r"error=3\d\d", warnings):
        warnings += ": it redirects, and a redirected alert may lose its message. Set the address that it leads to"
    cause = _cause(log.errors[-1]) if log.errors else ""
    return ": ".join(filter(None, (warnings, cause))) or "refused, without a reason"


def _cause(error: BaseException) -> str:
    """An error of the network, or a mail server's own message: `535 5.7.8 authentication failed`."""
    from requests.exceptions import InvalidURL
    from urllib3.exceptions import LocationParseError, ProxyError

    from lcw_assets.transport.route import chain

    if isinstance(error, smtplib.SMTPRecipientsRefused):
        replies = [reply for reply in error.recipients.values() if isinstance(reply, tuple)]
        return "; ".join(_reply(code, text) for code, text in dict.fromkeys(replies))
    if isinstance(error, smtplib.SMTPResponseException):
        return _reply(error.smtp_code, error.smtp_error)
    met = chain(error)
    if any(isinstance(one, InvalidURL | LocationParseError) for one in met):
        return "this address, or that of a proxy, is none"  # not shown: a part of it may be a password
    who = "the proxy: " if any(isinstance(one, ProxyError) for one in met) else ""
    return f"{who}{str(met[-1]) or type(met[-1]).__name__}"


def _reply(code: int, text: bytes | str) -> str:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(''.join(sign if sign.isprintable() else ' ' for sign in words).split())}"


def title(alert: Alert) -> str:
    state = alert.kind if alert.kind in ("recovered", "news") else alert.severity
    return f"lcw-assets {state}: {escape.line(alert.incident, 200)}"


def body(alert: Alert, link: str | None) -> str:
    lasts = "" if alert.kind == "news" else f", for {_span(alert.raised_at - alert.since)}"
    lines = [
        escape.line(alert.what if alert.kind != "recovered" else f"Over. It was: {alert.what}"),
        f"Since: {alert.since:%Y-%m-%d %H:%M:%S} UTC{lasts}",
        *([f"Likely cause: {escape.line(alert.cause)}"] if alert.cause else []),
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


_PLUGIN_LOG = PluginLog()
