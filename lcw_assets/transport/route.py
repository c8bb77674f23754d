"""The way to a server: which proxy, which trusted certificates; and which of them failed when nothing came."""

from __future__ import annotations

import http.client
import ipaddress
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests
import urllib3.exceptions as urllib3_errors
from requests import exceptions as requests_errors
from requests.utils import get_environ_proxies, select_proxy

from lcw_assets.transport.errors import CallError, RefusedError, TransientError
from lcw_assets.transport.facts import Outcome
from lcw_assets.transport.tls import bundle_fault, explain_tls

# A variable, and the path that it holds.
Bundle = tuple[str, str]


@dataclass(frozen=True)
class Route:
    """How requests go to `base_url`. `proxy` is its name in errors, without user name and password."""

    base_url: str
    proxy: str | None = None
    ca_bundle: Bundle | None = None
    _proxies: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def to(cls, base_url: str, ca_bundle: Bundle | None = None) -> Route:
        """Loopback is reached without a proxy."""
        proxies = {} if _is_loopback(urlsplit(base_url).hostname or "") else get_environ_proxies(base_url)
        address = select_proxy(base_url, proxies)
        if not address:
            return cls(base_url, ca_bundle=ca_bundle)
        kind = urlsplit(base_url).scheme if address == proxies.get(urlsplit(base_url).scheme) else "all"
        return cls(base_url, _proxy_name(address, f"{kind.upper()}_PROXY"), ca_bundle, proxies)

    @property
    def server(self) -> str:
        """The server's name in errors. Behind a proxy, either of them may have failed."""
        return f"{self.base_url}, through {self.proxy}," if self.proxy else self.base_url

    def session(self) -> requests.Session:
        """A session that takes this way. It does not read ~/.netrc: the key header is the only authentication, and a
        default entry there would be sent to every host.
        """
        session = requests.Session()
        session.trust_env = False
        session.proxies.update(self._proxies)
        if self.ca_bundle:
            session.verify = self.ca_bundle[1]
        return session

    def wants_password(self, endpoint: str) -> RefusedError:
        """For a 407, which only proxies send."""
        reason = (
            f"{self.proxy or 'a proxy'} asks for a user name and a password, and takes none that it got (407): "
            "its address must look like http://user:password@host:port"
        )
        return RefusedError(endpoint, reason, outcome="rejected")

    def explain(self, endpoint: str, error: BaseException) -> BaseException:
        """A network error as a `CallError`; anything else unchanged."""
        if isinstance(error, CallError) or not isinstance(error, OSError | urllib3_errors.HTTPError):
            return error
        met = chain(error)
        about_tls = any(isinstance(one, ssl.SSLError) for one in met) or "CA certificate bundle" in str(error)
        if about_tls and self.ca_bundle and (fault := bundle_fault(self.ca_bundle[1])):
            variable, path = self.ca_bundle
            return RefusedError(endpoint, f"{variable}={path}: {fault}", outcome="rejected")
        if fault := self._address_fault(met):
            return RefusedError(endpoint, fault, outcome="rejected")
        by_proxy = self.proxy is not None and any(isinstance(one, urllib3_errors.ProxyError) for one in met)
        tunnel = re.search(r"Tunnel connection failed: (\d+) ?([\w -]{,40})", str(error)) if by_proxy else None
        if tunnel:
            return self._refused_tunnel(endpoint, int(tunnel[1]), tunnel[2])
        who = self.proxy if by_proxy else self.server
        what, outcome, lasting = explain_tls(met, self.ca_bundle) or self._explain_connection(met)
        kind = RefusedError if lasting else TransientError
        return kind(endpoint, f"{who} {what}", outcome="rejected" if lasting else outcome)

    def _refused_tunnel(self, endpoint: str, status: int, said: str) -> CallError:
        if status == 407:
            return self.wants_password(endpoint)
        if status >= 500:
            reason = f"{self.proxy} does not reach {self.base_url} ({status} {said})"
            return TransientError(endpoint, reason, outcome="connection")
        reason = f"{self.proxy} does not allow {self.base_url} ({status} {said}): that is for its owner to change"
        return RefusedError(endpoint, reason, outcome="rejected")

    def _address_fault(self, met: list[BaseException]) -> str | None:
        """What is wrong with an address or a file that the environment sets, if that is the cause.

        It never shows a proxy's address, which may hold a password.
        """
        for one in met:
            if isinstance(one, requests_errors.InvalidHeader):
                return f"{self.base_url}: a header holds a character that none can carry"
            if isinstance(one, requests_errors.InvalidProxyURL | urllib3_errors.ProxySchemeUnknown):
                return f"{self.proxy}: its address must look like http://host:port or http://user:password@host:port"
            if isinstance(one, requests_errors.InvalidSchema) and self.proxy and "SOCKS" in str(one):
                return f"{self.proxy}: for a SOCKS proxy, run .venv/bin/pip install 'requests[socks]'"
            if isinstance(
                one, urllib3_errors.LocationParseError | requests_errors.InvalidURL | requests_errors.InvalidSchema
            ):
                whose = self.base_url if (urlsplit(self.base_url).hostname or "") in str(one) else self.proxy
                return f"{whose or self.base_url}: this is no address that can be used"
            if (
                isinstance(one, FileNotFoundError | IsADirectoryError | NotADirectoryError | PermissionError)
                and one.filename
            ):
                return f"{one.filename}, which SSLKEYLOGFILE names, cannot be written to ({one.strerror})"
        return None

    def _explain_connection(self, met: list[BaseException]) -> tuple[str, Outcome, bool]:
        for kinds, what, outcome in _MEANINGS:
            if any(isinstance(one, kinds) for one in met):
                return what, outcome, False
        last = met[-1]
        if isinstance(last, OSError) and last.strerror:
            return f"cannot be reached ({last.strerror})", "connection", False
        text = "".join(sign if sign.isprintable() else " " for sign in str(last))
        return f"failed: {type(last).__name__}: {text[:200]}", "connection", False


# The first match counts: a closed connection is also a reset one.
_MEANINGS: tuple[tuple[tuple[type[BaseException], ...], str, Outcome], ...] = (
    (
        (urllib3_errors.NameResolutionError,),
        "has a name that cannot be resolved: is this machine online?",
        "connection",
    ),
    ((ConnectionRefusedError,), "refuses connections", "connection"),
    ((http.client.RemoteDisconnected,), "closed the connection without a response", "connection"),
    ((http.client.IncompleteRead,), "cut its response off in the middle", "connection"),
    ((ConnectionError,), "cut the connection off", "connection"),
    ((http.client.BadStatusLine,), "does not speak HTTP", "connection"),
    ((requests_errors.Timeout, urllib3_errors.TimeoutError, TimeoutError), "was silent for too long", "timeout"),
)


def chain(error: BaseException) -> list[BaseException]:
    """An error and its causes, outermost first: `requests` wraps urllib3's, and that the system's."""
    met = [error]
    for one in met:
        inner = (getattr(one, "reason", None), *one.args, one.__cause__)
        met += [other for other in inner if isinstance(other, BaseException) and other not in met]
    return met


def _proxy_name(address: str, variable: str) -> str:
    """`the proxy host:3128 of HTTPS_PROXY`. An invalid address is not shown: it may be a password."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or "@" in parts.path + parts.query + parts.fragment:
        return f"the proxy of {variable}"
    return f"the proxy {host}{f':{port}' if port else ''} of {variable}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
