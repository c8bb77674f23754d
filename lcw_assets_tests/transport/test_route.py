"""Who failed when nothing came: the proxy, the name, TLS or the server. No password of a proxy is ever shown."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from lcw_assets.transport.call import Call
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError, RefusedError, TransientError
from lcw_assets.transport.in_flight import Timeouts
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.transport.tls import bundle_fault
from lcw_assets_tests.network import Talk, authority, bundle, certificate, over_tls, proxy
from lcw_assets_tests.servers import raw_server, read_request, reply, silence
from lcw_assets_tests.transport.test_client import Kept, read_text

GOOD = reply("200 OK", b"[]")

# Where a name must not be resolved and no packet sent: RFC 2606 keeps it free.
OUTSIDE = "api.example"


@pytest.fixture
def ca(tmp_path: Path) -> tuple[str, str]:
    return "REQUESTS_CA_BUNDLE", str(bundle(tmp_path))


def call(address: str, sink: Kept | None = None, *, ca: tuple[str, str] | None = None, seconds: float = 20.0) -> Any:
    client = Client(
        address,
        source="test",
        sink=sink or Kept(),
        ca_bundle=ca,
        retry=RetryPolicy(attempts=2, first_s=0.01),
        timeouts=Timeouts(connect_s=seconds, read_s=seconds, attempt_s=seconds),
    )
    return client.call(Call("POST", "coins/list", {"limit": 1}, Deadline.after(60), read_text))


def failed(kind: type[CallError], address: str, *, alike: bool = True, **options: Any) -> str:
    """Why a call failed. Every fact of it says the same, if they are `alike`, and a lasting error was met once."""
    sink = Kept()
    with pytest.raises(kind) as raised:
        call(address, sink, **options)
    reasons = {fact.error for fact in sink.attempts}
    assert raised.value.reason in reasons
    assert len(reasons) == 1 or not alike
    assert len(sink.attempts) == (1 if kind is RefusedError else 2)
    assert "\n" not in raised.value.reason
    return raised.value.reason


@contextmanager
def secure(talk: Talk, shown: trustme.LeafCert | None = None, **options: Any) -> Iterator[str]:
    with raw_server(over_tls(talk, shown, **options)) as address:
        yield address.replace("http:", "https:")


# Whose certificates are believed.


def test_on_loopback_only_the_proxy_is_left_out_and_not_the_ca_bundle(
    monkeypatch: pytest.MonkeyPatch, ca: tuple[str, str]
) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with secure(GOOD) as address:
        assert call(address, ca=ca) == "[]"
        assert call(address.replace("127.0.0.1", "localhost"), ca=ca) == "[]"
        assert "issuer of its certificate is unknown" in failed(RefusedError, address)


def bad_bundles(folder: Path) -> dict[str, tuple[Path, str]]:
    (folder / "folder").mkdir()
    (folder / "words.pem").write_text("not a certificate\n")
    (folder / "empty.pem").write_text("")
    (folder / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (folder / "loop.pem").symlink_to(folder / "loop.pem")
    return {
        "missing": (folder / "none.pem", "this file does not exist"),
        "folder": (folder / "folder", "this folder has no certificate under a name that OpenSSL looks for"),
        "words": (folder / "words.pem", "this file has no certificate in it"),
        "empty": (folder / "empty.pem", "this file has no certificate in it"),
        "broken": (folder / "broken.pem", "this file has no certificate in it"),
        "unreadable": (folder / "loop.pem", "this cannot be read (Too many levels of symbolic links)"),
    }


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("what", ["missing", "folder", "words", "empty", "broken", "unreadable"])
def test_a_bundle_that_is_none_is_named_with_its_variable(tmp_path: Path, what: str, variable: str) -> None:
    path, says = bad_bundles(tmp_path)[what]
    with secure(GOOD) as address:
        reason = failed(RefusedError, address, ca=(variable, str(path)))
    assert reason.startswith(f"{variable}={path}: {says}")


def test_a_folder_of_certificates_is_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "5ad8a5d6.0").write_bytes(authority().cert_pem.bytes())
    assert bundle_fault(str(tmp_path)) is None


def test_a_bundle_is_not_examined_without_tls() -> None:
    with raw_server(GOOD) as address:
        assert call(address, ca=("CURL_CA_BUNDLE", "/no/such/file")) == "[]"


def test_a_file_for_tls_keys_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, ca: tuple[str, str], tmp_path: Path
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "no" / "keys"))
    with secure(GOOD) as address:
        reason = failed(RefusedError, address, ca=ca)
    assert reason == f"{tmp_path}/no/keys, which SSLKEYLOGFILE names, cannot be written to (No such file or directory)"


# TLS.


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        (
            lambda: certificate(days_from=-9, days_to=-1),
            "its certificate has expired, or this machine's clock is wrong",
        ),
        (
            lambda: certificate(days_from=1, days_to=9),
            "its certificate is not valid yet, or this machine's clock is wrong",
        ),
        (lambda: certificate("other.example"), "its certificate is for another host"),
        (lambda: certificate("192.0.2.1"), "its certificate is for another host"),
    ],
)
def test_a_certificate_that_is_not_valid_says_why(
    ca: tuple[str, str], shown: Callable[[], trustme.LeafCert], says: str
) -> None:
    with secure(GOOD, shown()) as address:
        assert failed(RefusedError, address, ca=ca) == f"{address} failed in TLS: {says}"


def test_an_unknown_issuer_says_where_issuers_are_known_from(ca: tuple[str, str], tmp_path: Path) -> None:
    with secure(GOOD, trustme.CA().issue_cert("127.0.0.1")) as address:
        unknown = failed(RefusedError, address)
        assert "the issuer of its certificate is unknown" in unknown
        assert "put its certificate into a file, and that file's path into REQUESTS_CA_BUNDLE" in unknown
        assert f"the issuer of its certificate is not in {ca[1]}, which REQUESTS_CA_BUNDLE names" in failed(
            RefusedError, address, ca=ca
        )


def test_a_server_that_requests_a_certificate_of_ours_is_distinguished(ca: tuple[str, str]) -> None:
    with secure(GOOD, asks_for_one=True) as address:
        assert failed(RefusedError, address, ca=ca) == (
            f"{address} failed in TLS: it asks for a client certificate, and there is none to give"
        )


def test_plain_http_at_an_https_address_is_distinguished(ca: tuple[str, str]) -> None:
    def plain(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with raw_server(plain) as address:
        reason = failed(RefusedError, address.replace("http:", "https:"), ca=ca)
    assert reason == f"{address.replace('http:', 'https:')} speaks no TLS: is http:// meant, and not https://?"


def test_a_server_that_hangs_up_in_the_middle_of_tls_may_work_in_a_moment(ca: tuple[str, str]) -> None:
    def hang_up(connection: socket.socket) -> None:
        connection.recv(65536)

    with raw_server(hang_up) as address:
        reason = failed(TransientError, address.replace("http:", "https:"), ca=ca)
    assert reason.endswith((" closed the connection in the middle of TLS", " cut the connection off"))


def test_versions_of_tls_that_do_not_meet_are_distinguished(ca: tuple[str, str]) -> None:
    def old(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(bytes((21, 3, 1, 0, 2, 2, 70)))  # a fatal alert: protocol version
        connection.recv(65536)

    with raw_server(old) as address:
        reason = failed(RefusedError, address.replace("http:", "https:"), ca=ca)
    assert "failed in TLS: no version or cipher is known to both sides" in reason


# Names.


def test_a_name_that_leads_nowhere_is_distinguished() -> None:
    reason = failed(TransientError, "http://no-such-host.invalid")
    assert reason == "http://no-such-host.invalid has a name that cannot be resolved: is this machine online?"


def test_an_address_that_no_resolver_takes_is_refused() -> None:
    assert failed(RefusedError, "http://a..b") == "http://a..b: this is no address that can be used"


# Proxies. Each has a password, and none of it may be seen.

USER, PASSWORD = "proxyuser", "pr0xyp4ss"


def through(monkeypatch: pytest.MonkeyPatch, address: str, variable: str = "HTTPS_PROXY") -> str:
    """Put a password into the address, set the variable, and give what the proxy is called then."""
    monkeypatch.setenv(variable, address.replace("http://", f"http://{USER}:{PASSWORD}@"))
    return f"the proxy {address.removeprefix('http://')} of {variable}"


def failed_behind(kind: type[CallError], address: str = f"https://{OUTSIDE}", **options: Any) -> str:
    reason = failed(kind, address, **options)
    assert USER not in reason
    assert PASSWORD not in reason
    return reason


@pytest.mark.parametrize(
    ("scheme", "variable"), [("https", "HTTPS_PROXY"), ("http", "HTTP_PROXY"), ("https", "ALL_PROXY")]
)
def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch, scheme: str, variable: str) -> None:
    name = through(monkeypatch, "http://127.0.0.1:1", variable)
    assert failed_behind(TransientError, f"{scheme}://{OUTSIDE}") == f"{name} refuses connections"


def test_a_proxy_whose_name_leads_nowhere_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    name = through(monkeypatch, "http://no-such-proxy.invalid:3128")
    assert failed_behind(TransientError) == f"{name} has a name that cannot be resolved: is this machine online?"


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_proxy_that_wants_a_password_says_how_one_is_given(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    with raw_server(reply("407 Proxy Authentication Required", b"who?")) as address:
        name = through(monkeypatch, address, f"{scheme.upper()}_PROXY")
        reason = failed_behind(RefusedError, f"{scheme}://{OUTSIDE}")
    assert reason == (
        f"{name} asks for a user name and a password, and takes none that it got (407): "
        "its address must look like http://user:password@host:port"
    )


def test_a_proxy_that_allows_this_host_to_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(reply("403 Forbidden", b"")) as address:
        name = through(monkeypatch, address)
        reason = failed_behind(RefusedError)
    assert reason == f"{name} does not allow https://{OUTSIDE} (403 Forbidden): that is for its owner to change"


def test_a_proxy_that_does_not_reach_the_server_may_in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(reply("502 Bad Gateway", b"")) as address:
        name = through(monkeypatch, address)
        assert failed_behind(TransientError) == f"{name} does not reach https://{OUTSIDE} (502 Bad Gateway)"


def test_what_speaks_no_http_is_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    def ssh(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"SSH-2.0-OpenSSH_9\r\n")

    with raw_server(ssh) as address:
        name = through(monkeypatch, address)
        assert failed_behind(TransientError) == f"https://{OUTSIDE}, through {name}, does not speak HTTP"


def test_silence_behind_a_proxy_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(silence) as address:
        name = through(monkeypatch, address)
        reason = failed_behind(TransientError, alike=False, seconds=0.4)  # which limit comes first is chance
    assert reason in (
        f"https://{OUTSIDE}, through {name}, was silent for too long",
        f"https://{OUTSIDE}, through {name}, gave no whole response within 0.4 s",
    )


@pytest.mark.parametrize(
    "address",
    [
        f"{USER}:{PASSWORD}@127.0.0.1:1",
        f"http://{USER}:{PASSWORD}@:3128",
        f"http://{USER}:{PASSWORD}/x@127.0.0.1:1",
        f"http://{USER}:{PASSWORD}@127.0.0.1:port",
        f"ftp://{USER}:{PASSWORD}@127.0.0.1:1",
        f"http://{USER}:{PASSWORD}@[::1",
    ],
)
def test_a_proxy_address_that_is_none_is_named_by_its_variable_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    reason = failed_behind(RefusedError)
    assert reason.startswith("the proxy ")
    assert "HTTPS_PROXY" in reason
    assert "address" in reason


def test_a_slash_in_a_proxys_user_name_shows_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands before it is taken for the host then."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://{USER}/{PASSWORD}@127.0.0.1:1")
    assert failed_behind(TransientError).startswith("the proxy of HTTPS_PROXY has a name that cannot be resolved")


def test_a_socks_proxy_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://{USER}:{PASSWORD}@127.0.0.1:1")
    assert failed_behind(RefusedError).endswith("for a SOCKS proxy, run .venv/bin/pip install 'requests[socks]'")


def test_a_call_through_a_proxy_is_one_with_its_password(monkeypatch: pytest.MonkeyPatch, ca: tuple[str, str]) -> None:
    heads: list[bytes] = []
    with raw_server(proxy(over_tls(GOOD, certificate(OUTSIDE)), heads)) as address:
        through(monkeypatch, address)
        assert call(f"https://{OUTSIDE}", ca=ca) == "[]"
    assert heads[0].startswith(f"CONNECT {OUTSIDE}:443 ".encode())
    assert b"Proxy-Authorization: Basic" in heads[0]


def test_a_certificate_behind_a_proxy_is_the_servers_fault(
    monkeypatch: pytest.MonkeyPatch, ca: tuple[str, str]
) -> None:
    with raw_server(proxy(over_tls(GOOD, certificate(OUTSIDE, days_from=-9, days_to=-1)), [])) as address:
        name = through(monkeypatch, address)
        reason = failed_behind(RefusedError, ca=ca)
    assert reason.startswith(f"https://{OUTSIDE}, through {name}, failed in TLS: its certificate has expired")


def test_a_host_that_no_proxy_names_is_reached_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    through(monkeypatch, "http://127.0.0.1:1", "HTTP_PROXY")
    monkeypatch.setenv("NO_PROXY", "no-such-host.invalid")
    assert "cannot be resolved" in failed_behind(TransientError, "http://no-such-host.invalid")


@pytest.mark.parametrize("outside", [True, False])
def test_a_netrc_is_never_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outside: bool) -> None:
    """A default entry in it would be sent to every host."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login netrcuser password n3trcp4ss\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    heads: list[bytes] = []
    with raw_server(proxy(GOOD, heads)) as address:
        if outside:
            monkeypatch.setenv("HTTP_PROXY", address)
        assert call(f"http://{OUTSIDE}" if outside else address) == "[]"
    assert b"\r\nauthorization:" not in heads[0].lower()
