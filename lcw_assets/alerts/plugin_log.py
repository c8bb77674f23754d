"""Captures what a channel's plug-in logs while it sends: other logs must not have it, addresses contain secrets."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Captured:
    """The warnings of a plug-in, and the errors that it had caught when it logged, oldest first."""

    warnings: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)


class PluginLog(logging.Filter):
    """Keeps what apprise logs, and while a thread sends also what urllib3 logs, from all other logs.

    While a thread sends, ~/.netrc is not read there: a default entry would be sent to every channel's host.
    """

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()
        self._installed = False

    @property
    def captured(self) -> Captured | None:
        return getattr(self._local, "captured", None)

    @contextmanager
    def capture(self) -> Iterator[Captured]:
        self._install()
        captured = Captured()
        self._local.captured = captured
        try:
            yield captured
        finally:
            self._local.captured = None

    def filter(self, record: logging.LogRecord) -> bool:
        if self.captured is None:
            return record.name != "apprise"
        if record.name == "apprise":
            error = sys.exc_info()[1]
            if isinstance(error, OSError) and error not in self.captured.errors:  # those of requests and smtplib are
                self.captured.errors.append(error)
            if record.levelno >= logging.WARNING:
                self.captured.warnings.append(record.getMessage())
        return False

    def _install(self) -> None:
        if self._installed:
            return
        self._installed = True
        for name in ("apprise", "urllib3.connectionpool"):
            logging.getLogger(name).addFilter(self)
        # The replies of a mail server are logged only at DEBUG. This filter lets none of them pass.
        logging.getLogger("apprise").setLevel(logging.DEBUG)
        from requests import sessions

        original = sessions.get_netrc_auth

        def netrc_auth(url: str | bytes, raise_errors: bool = False) -> tuple[str, str] | None:
            return original(url, raise_errors) if self.captured is None else None

        sessions.get_netrc_auth = netrc_auth
