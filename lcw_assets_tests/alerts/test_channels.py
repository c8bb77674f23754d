"""Alerts reach real servers, and what goes wrong is said without the address."""

from __future__ import annotations

import ast
import logging
import re
import socket
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests

from lcw_assets.alerts import channels as module
from lcw_assets.alerts.channels import read_channels, send_all
from lcw_assets.alerts.incidents import Alert
from lcw_assets_tests.alerts.receivers import closed_port, mail_server, webhook
from lcw_assets_tests.network import bundle, certificate, over_tls, proxy
from lcw_assets_tests.servers import raw_server, read_request, silence

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
LINK = "http://127.0.0.1:3000/runs/1a2b"


def alert(**values: Any) -> Alert:
    given = {
        "incident": "cycle_time",
        "kind": "opened",
        "severity": "critical",
        "raised_at": NOON,
        "since": NOON - timedelta(seconds=61),
        "what": "the cycle of run 1a2b3c4d still runs after 61 s, over 60 s",
        "cause": "coins/list offset 600 has not answered for 58 s",
        "run_id": "1a2b",
    }
    return Alert(**{**given, **values})


def send(addresses: str, one: Alert | None = None) -> dict[str, str | None]:
    channels, wrong = read_channels(addresses)
    assert wrong == {}
    return send_all(channels, one or alert(), LINK)


def test_a_webhook_gets_severity_what_since_cause_and_link() -> None:
    with webhook() as hook:
        assert send(f"json://127.0.0.1:{hook.port}/hook") == {"1 (JSON)": None}
    [received] = hook.received
    assert received["title"] == "lcw-assets critical: cycle_time"
    assert received["type"] == "failure"
    assert received["message"].splitlines() == [
        "the cycle of run 1a2b3c4d still runs after 61 s, over 60 s",
        "Since: 2026-11-20 11:58:59 UTC, for 61 s",
        "Likely cause: coins/list offset 600 has not answered for 58 s",
        f"Run: {LINK}",
    ]


def test_a_mail_is_one_that_can_be_read() -> None:
    with mail_server() as mailbox:
        address = f"mailto://127.0.0.1:{mailbox.port}?from=lcw@example.com&to=me@example.com"
        assert send(address, alert(since=NOON - timedelta(hours=3))) == {"1 (E-Mail)": None}
    [mail] = mailbox.received
    assert mail["subject"] == "lcw-assets critical: cycle_time"
    assert mail["to"] == "me@example.com"
    body = mail.get_body(("plain", "html"))
    assert body is not None
    text = body.get_content()
    for part in ("still runs after 61 s, over 60 s", "for 3 h", "coins/list offset 600", LINK):
        assert part in text


def test_a_recovery_says_so() -> None:
    with webhook() as hook:
        send(f"json://127.0.0.1:{hook.port}/", alert(kind="recovered", severity="warning"))
    assert hook.received[0]["title"] == "lcw-assets recovered: cycle_time"
    assert hook.received[0]["type"] == "success"
    assert hook.received[0]["message"].startswith("Over. It was: the cycle of run")


def test_several_addresses_are_distinguished_and_one_that_fails_stops_no_other() -> None:
    with closed_port() as closed, webhook() as hook, mail_server() as mailbox:
        results = send(
            f" json://127.0.0.1:{closed}/a,json://127.0.0.1:{hook.port}/b?x=1,2\n"
            f"mailto://127.0.0.1:{mailbox.port}?from=a@example.com&to=b@example.com,c@example.com "
        )
    assert list(results) == ["1 (JSON)", "2 (JSON)", "3 (E-Mail)"]
    assert results["1 (JSON)"] is not None
    assert results["2 (JSON)"] is None
    assert results["3 (E-Mail)"] is None
    assert (len(hook.received), len(mailbox.received)) == (1, 2)


@pytest.mark.parametrize(
    "address",
    ["slakc://TokenABC/secret", "json://", "hello", "mailto://user:secret@", "://secret", "tgram://secret-token"],
)
def test_an_address_that_is_none_is_reported_by_its_place_and_not_shown(
    address: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        channels, wrong = read_channels(f"json://127.0.0.1/a {address}")
    assert [channel.name for channel in channels] == ["1 (JSON)"]
    assert list(wrong) == ["2"]
    said = " ".join(wrong.values()) + "".join(capfd.readouterr()) + caplog.text
    assert "secret" not in said
    assert "no address that apprise can use" in said


def test_no_address_is_no_channel() -> None:
    assert read_channels(None) == read_channels("") == ([], {})


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_refusal_is_reported_without_the_secrets_of_the_address(
    status: int, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), webhook(status) as hook:
        [why] = send(f"json://someuser:passw0rd@127.0.0.1:{hook.port}/hook/s3cr3t-path?token=t0ken").values()
    assert why
    assert str(status) in why
    for secret in ("someuser", "passw0rd", "s3cr3t-path", "t0ken"):
        assert secret not in why + caplog.text + "".join(capfd.readouterr())


def test_a_name_that_leads_nowhere_is_a_failure_and_no_exception() -> None:
    [why] = send("json://no-such-host.invalid/x").values()
    assert why
    assert "no-such-host" not in why


def test_a_server_that_never_answers_costs_a_known_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be silent for ten minutes."""
    monkeypatch.setattr(module, "_SEND_S", 3.0)
    with raw_server(silence) as address, webhook() as hook:
        silent = address.replace("http", "json") + "?rto=600"
        results = send(f"{silent} json://127.0.0.1:{hook.port}/")
    assert results == {"1 (JSON)": "no response within 3 s", "2 (JSON)": None}


def test_a_mail_server_that_hangs_up_is_a_failure() -> None:
    def hang_up(connection: socket.socket) -> None:
        connection.sendall(b"421 go away\r\n")

    with raw_server(hang_up) as address:
        port = address.rsplit(":", 1)[1]
        [why] = send(f"mailto://127.0.0.1:{port}?from=a@example.com&to=b@example.com").values()
    assert why


# Mail servers say what is wrong, and it is in the error.

MAIL = "?from=a@example.com&to=b@example.com"


@pytest.mark.parametrize(
    ("says", "address", "words"),
    [
        (
            {"login": "535 5.7.8 Error: authentication failed for s3cretpw"},
            "mailto://someuser:s3cretpw@127.0.0.1:PORT" + MAIL,
            "535 5.7.8 Error: authentication failed for ***",
        ),
        ({"recipient": "550 5.1.1 no such user here"}, "mailto://127.0.0.1:PORT" + MAIL, "550 5.1.1 no such user here"),
        (
            {"recipient": "550 5.1.1 no such user here"},
            "mailto://127.0.0.1:PORT" + MAIL + ",c@example.com",
            "550 5.1.1 no such user here",
        ),
        (
            {"data": "554 5.7.1 refused as\x1b[31m spam"},
            "mailto://127.0.0.1:PORT" + MAIL,
            "554 5.7.1 refused as [31m spam",
        ),
        ({}, "mailtos://127.0.0.1:PORT" + MAIL + "&mode=starttls", "STARTTLS extension not supported by server."),
        ({}, "mailtos://127.0.0.1:PORT" + MAIL + "&mode=ssl", "[SSL: "),
    ],
    ids=["535", "550", "550 for one of two", "554", "no STARTTLS", "no TLS"],
)
def test_a_mail_servers_own_words_are_in_the_error(says: dict[str, str], address: str, words: str) -> None:
    with mail_server(**says) as mailbox:
        [why] = send(address.replace("PORT", str(mailbox.port))).values()
    assert why
    assert words in why
    for secret in ("someuser", "s3cretpw", "example.com", "127.0.0.1"):
        assert secret not in why


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mailto://127.0.0.1:1" + MAIL, "Connection refused"),
        ("json://127.0.0.1:1/s3cret", "Connection refused"),
        ("mailto://no-such-host.invalid" + MAIL, "Name or service not known|nodename nor servname|Temporary failure"),
    ],
)
def test_a_server_that_is_not_there_says_so(address: str, words: str) -> None:
    [why] = send(address).values()
    assert why
    assert re.search(words, why)


def test_a_ca_bundle_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURL_CA_BUNDLE", "/no/such.pem")
    [why] = send("jsons://127.0.0.1:1/").values()
    assert why
    assert why.startswith("REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE: Could not find")
    assert why.endswith("/no/such.pem")


def test_a_proxy_that_is_not_there_is_named_as_one_and_its_password_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxyuser:pr0xyp4ss@127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxyuser:pr0xy/p4ss@127.0.0.1:1")
    refuses, broken = send("json://receiver.example/ jsons://receiver.example/").values()
    assert refuses
    assert refuses.endswith(": the proxy: [Errno 111] Connection refused")
    assert broken
    assert broken.endswith(": this address, or that of a proxy, is none")


# A receiver that redirects has not taken anything: what follows is a GET without the message.

WEBHOOKS = {
    "json": "json://HOST/hook",
    "xml": "xml://HOST/hook",
    "form": "form://HOST/hook",
    "mattermost": f"mmost://HOST/{'a' * 24}",
    "gotify": f"gotify://HOST/{'a' * 15}",
    "ntfy": "ntfy://HOST/topic",
    "json that asks for it": "json://HOST/hook?redirect=yes",
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    "discord": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "telegram": "tgram://123456789:abcdefg_hijklmnop/12315544",
    "pagerduty": f"pagerduty://{'a' * 32}@{'b' * 32}/source/component",
    "teams": f"workflows://prod-1.westus.logic.azure.com:443/{'a' * 32}/{'b' * 40}/",
}
HOSTS = (
    "hooks.slack.com",
    "discord.com",
    "api.telegram.org",
    "events.pagerduty.com",
    "prod-1.westus.logic.azure.com",
)


def receiver(redirects: int | None) -> Callable[[socket.socket], None]:
    """Takes whatever comes to `/final`, and redirects the rest there."""

    def talk(connection: socket.socket) -> None:
        head = read_request(connection)
        body = b"ok" if b"hooks.slack.com" in head else b'{"ok": true, "result": {"message_id": 1}}'
        lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", "Connection: close"]
        if redirects and b" /final" not in head:
            lines[0], body = f"HTTP/1.1 {redirects} Elsewhere", b""
            lines.append("Location: /final")
        connection.sendall("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)

    return talk


@pytest.mark.parametrize("kind", WEBHOOKS)
def test_an_alert_counts_as_delivered_when_its_receiver_took_it_and_not_when_it_redirects(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    """Through a real proxy, behind which every host of the services is a receiver of our own."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle(tmp_path)))
    results = {}
    for redirects in (None, 301, 302, 307):
        talk = receiver(redirects)
        with raw_server(talk) as web, raw_server(proxy(over_tls(talk, certificate(*HOSTS)), [])) as outside:
            monkeypatch.setenv("HTTPS_PROXY", outside)
            [results[redirects]] = send(WEBHOOKS[kind].replace("HOST", web.removeprefix("http://"))).values()
    assert results.pop(None) is None
    for redirects, why in results.items():
        assert why
        assert f"error={redirects}" in why
        assert why.endswith(
            "it redirects, and a redirected alert may lose its message. Set the address that it leads to"
        )


def test_every_plug_in_leaves_it_to_us_whether_redirects_are_followed() -> None:
    """A hundred kinds of channels ask by themselves. One that forgot this argument would follow."""
    import apprise

    forgetful = []
    for file in (Path(apprise.__file__).parent / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            asks = node.func.attr in ("get", "post", "put", "patch", "delete", "request")
            if asks and isinstance(node.func.value, ast.Name) and node.func.value.id == "requests":
                given = {keyword.arg for keyword in node.keywords}
                forgetful += [] if "allow_redirects" in given else [f"{file.name}:{node.lineno}"]
    assert forgetful == []


def test_a_netrc_is_not_used_for_alerts_and_still_is_by_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login netrcuser password n3trcp4ss\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    heads: list[bytes] = []

    def take(connection: socket.socket) -> None:
        heads.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    with raw_server(take) as address:
        assert send(f"json://{address.removeprefix('http://')}/") == {"1 (JSON)": None}
        requests.get(address, timeout=10)
    assert [b"authorization:" in head.lower() for head in heads] == [False, True]


def test_nothing_that_a_plug_in_logs_reaches_anybody_else(caplog: pytest.LogCaptureFixture) -> None:
    """It logs whole addresses at DEBUG, and that is listened to for a mail server's words."""
    with caplog.at_level(logging.DEBUG), webhook() as hook:
        send(f"json://someuser:passw0rd@127.0.0.1:{hook.port}/s3cr3t-path")
        logging.getLogger("apprise").warning("s3cr3t-path")
    assert "s3cr3t" not in caplog.text
    assert hook.received
