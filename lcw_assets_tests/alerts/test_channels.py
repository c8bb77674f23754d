"""Alerts reach real servers, and what goes wrong is said without the address."""

from __future__ import annotations

import logging
import socket
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from lcw_assets.alerts import channels as module
from lcw_assets.alerts.channels import read_channels, send_all
from lcw_assets.alerts.incidents import Alert
from lcw_assets_tests.alerts.receivers import closed_port, mail_server, webhook
from lcw_assets_tests.servers import raw_server, silence

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


def test_several_addresses_are_told_apart_and_one_that_fails_stops_no_other() -> None:
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
def test_an_address_that_is_none_is_told_by_its_place_and_not_shown(
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
def test_a_refusal_is_told_without_the_secrets_of_the_address(
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
    assert results == {"1 (JSON)": "no answer within 3 s", "2 (JSON)": None}


def test_a_mail_server_that_hangs_up_is_a_failure() -> None:
    def hang_up(connection: socket.socket) -> None:
        connection.sendall(b"421 go away\r\n")

    with raw_server(hang_up) as address:
        port = address.rsplit(":", 1)[1]
        [why] = send(f"mailto://127.0.0.1:{port}?from=a@example.com&to=b@example.com").values()
    assert why
