"""Names that somebody chose to do harm, on their whole way: from a server into the tables, to people and to the UI."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from playwright.sync_api import Page, expect

from lcw_assets.alerts.channels import read_channels, send_all
from lcw_assets.alerts.incidents import Alert
from lcw_assets.alerts.outbox import Outbox
from lcw_assets.defs.history.checks import gaps_result, history_result
from lcw_assets.defs.history.gaps import Gap
from lcw_assets.defs.history.plan import Span
from lcw_assets.defs.registry.facts import Phases, SyncResult
from lcw_assets.defs.registry.load import SyncData
from lcw_assets.defs.registry.state import RegistryState
from lcw_assets.ingest.hooks import Outcome, StoredLoad
from lcw_assets.orchestration.console import console_logger
from lcw_assets.settings import DataSettings
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.alerts.receivers import mail_server, webhook
from lcw_assets_tests.alerts.test_channels import NOON, alert
from lcw_assets_tests.commands import Project
from lcw_assets_tests.conftest import PATIENCE_MS
from lcw_assets_tests.defs.market.test_fetch_cycle import checks, failure, materialized
from lcw_assets_tests.defs.registry.syncs import Registry, body, contract
from lcw_assets_tests.servers_of_dagster import webserver
from lcw_assets_tests.test_escape import rendered

IMAGE = "<img src=https://evil.example/p.png>|x"
MENTION = "<!channel>@everyone"
LINK = "[free](https://evil.example)"
CONTROL = "A\x1b[2J\n09:00:00 run: fine\u202e"
HOSTILE = [IMAGE, MENTION, LINK, CONTROL]
SAID = "\x1b[31m<b>busy</b>\n12:00:00 store: stored, all is well\n@everyone |"

Responses = dict[str, tuple[int, Any]]


@contextmanager
def server(responses: Mapping[str, tuple[int, Any]]) -> Iterator[str]:
    """Answers each path with its status and document, as long as the block lasts; they may change meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            status, document = responses[self.path.strip("/").partition("?")[0]]
            sent = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def do_GET(self) -> None:
            self.respond()

        def do_POST(self) -> None:
            self.respond()

        def log_message(self, *_: object) -> None: ...

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()
        listening.server_close()


def market() -> Responses:
    coins = [
        {"code": code, "name": f"Rocket {code}", "symbol": code, "rank": rank, "rate": -1.0, "volume": 1.0, "cap": 1.0}
        for rank, code in enumerate([*HOSTILE, "BTC"], 1)
    ]
    return {
        "status": (200, {}),
        "credits": (200, {"dailyCreditsRemaining": 9000, "dailyCreditsLimit": 10000}),
        "overview": (200, {"cap": 1.0, "volume": 1.0, "liquidity": 1.0, "btcDominance": 0.5}),
        "coins/list": (200, coins),
        "exchanges/list": (503, {"error": {"code": 503, "status": SAID, "description": SAID}}),
    }


def contracts(*symbols: str) -> tuple[int, Any]:
    return 200, json.loads(body(*(contract(symbol) for symbol in symbols)))


@pytest.fixture
def lcw(monkeypatch: pytest.MonkeyPatch) -> Iterator[Responses]:
    responses = market()
    with server(responses) as address:
        monkeypatch.setenv("LCW_BASE_URL", address)
        monkeypatch.setenv("LCW_COINS", "5")
        monkeypatch.setenv("LCW_CYCLE_DEADLINE_S", "5")
        yield responses


@pytest.fixture
def kucoin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Responses]:
    responses = {"api/v1/contracts/active": contracts("XBTUSDTM")}
    with server(responses) as address:
        monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", address)
        yield responses


def query(sql: str) -> list[tuple[Any, ...]]:
    with open_database(DataSettings().database, read_only=True) as db:
        return db.execute(sql).fetchall()


def is_harmless(markdown: str) -> None:
    kinds, _ = rendered(markdown)
    assert not [kind for kind in kinds if kind.startswith(("html", "link", "image", "strong", "em_"))], markdown
    assert all(character.isprintable() or character == "\n" for character in markdown)


def test_coins_with_hostile_codes_and_a_server_that_says_hostile_things(
    run_cycle: Callable[..., dg.ExecuteInProcessResult],
    instance: dg.DagsterInstance,
    lcw: Responses,
    capfd: pytest.CaptureFixture[str],
) -> None:
    result = run_cycle()
    assert result.success
    assert {code for (code,) in query("SELECT code FROM market.coins")} == {*HOSTILE, "BTC"}  # as they came
    assert {name for (name,) in query("SELECT name FROM market.coins")} == {
        f"Rocket {one}" for one in [*HOSTILE, "BTC"]
    }
    found = checks(result)
    negative = found["market/coins:values_in_range"].description
    assert negative
    assert negative.startswith("5 rows have values below zero: ")
    missing = found["ops/cycles:complete"].description
    assert missing
    for description in (negative, missing):
        is_harmless(description)
        assert len(description.splitlines()) == 1
    assert "503 \\x1b[31m<b>busy</b>\\n12:00:00 store: stored, all is well" in missing
    printed = capfd.readouterr().err
    assert "\x1b" not in printed
    assert not [line for line in printed.splitlines() if line.startswith("12:00:00 store: stored, all is well")]
    assert "exchanges/list page 1 of 1 is missing: 503 \\x1b[31m<b>busy</b>" in printed


def test_a_status_that_is_read_on_a_terminal_shows_what_a_server_said(lcw: Responses, tmp_path: Any) -> None:
    project = Project.make(tmp_path / "project")
    project.run("instance", "info")
    with server(lcw) as address:
        project.cycle(LCW_BASE_URL=address, LCW_COINS="5", LCW_CYCLE_DEADLINE_S="5")
    with open_database(project.data / "demo.duckdb") as db:  # a row that an older version wrote
        db.execute("UPDATE ops.loads SET missing = [?]", [SAID])
    status = project.run("lcw_assets")
    assert status.returncode == 0
    assert "\x1b" not in status.stdout
    assert (
        "missing  \\x1b[31m<b>busy</b>\\n12:00:00 store: stored, all is well\\n@everyone |"
        in status.stdout.splitlines()
    )


def test_contracts_with_hostile_symbols_reach_people_as_text(
    definitions: dg.Definitions, instance: dg.DagsterInstance, kucoin: Responses, capfd: pytest.CaptureFixture[str]
) -> None:
    sync = definitions.resolve_job_def("token_registry_sync")
    assert sync.execute_in_process(instance=instance).success
    kucoin["api/v1/contracts/active"] = contracts("XBTUSDTM", *HOSTILE)
    result = sync.execute_in_process(instance=instance)
    assert result.success
    assert {symbol for (symbol,) in query("SELECT symbol FROM registry.tokens")} == {"XBTUSDTM", *HOSTILE}

    table = materialized(result)["registry/tokens"]["newest_listings"]
    is_harmless(table)
    kinds, seen = rendered(table)
    assert kinds.count("td_open") == 5 * 5  # no symbol ends its cell, nor its row
    assert IMAGE in seen
    printed = capfd.readouterr().err
    assert "\x1b" not in printed
    assert 'sync: listed: <!channel>@everyone, "<img src=https://evil.example/p.png>|x", ' in printed
    assert not [line for line in printed.splitlines() if line.startswith("09:00:00 run: fine")]

    with webhook() as hook, mail_server() as mailbox:
        address = f"mailto://127.0.0.1:{mailbox.port}?from=lcw@example.com&to=me@example.com"
        channels, _ = read_channels(f"json://127.0.0.1:{hook.port}/ {address} {address}&format=html")
        settings = DataSettings()
        outbox = Outbox(settings.alerts_dir, str)
        outbox.flush(channels, lambda: open_database(settings.database), NOON, pytest.fail)
    [sent] = hook.received
    assert sent["message"].startswith("4 listed: ")
    assert '", "A\\x1b[2J\\n09:00:00 run: fine\\u202e", "[free]' in sent["message"]
    assert "@everyone" not in sent["message"]
    assert "\x1b" not in sent["message"]
    assert len(sent["message"].splitlines()) == 3  # what, since, and the run: no symbol adds a line
    assert {mail["subject"] for mail in mailbox.received} == {"lcw-assets news: KuCoin futures listing"}
    [html] = [part.get_content() for mail in mailbox.received if (part := mail.get_body(("html",)))]
    for sign in ("<img", "<!", "href"):
        assert sign not in html
    assert "&lt;" in html
    # The table keeps the sentence as it was made, and each symbol is in `registry.token_events` as it came.
    [(what,)] = query("SELECT what FROM ops.alerts")
    assert what.startswith("4 listed: ")


def test_a_run_that_prints_foreign_lines_forges_none(
    instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever an asset of a user's logs, or raises."""

    @dg.asset
    def loud(context) -> None:  # type: ignore[no-untyped-def]
        context.log.info(f"one {SAID}")
        raise ValueError(f"two {SAID}")

    loggers = {"console": console_logger}
    job = dg.Definitions([loud], jobs=[dg.define_asset_job("shout", "*")], loggers=loggers).resolve_job_def("shout")
    job.execute_in_process(instance=instance, raise_on_error=False, run_config={"loggers": {"console": {}}})
    printed = capfd.readouterr().err
    assert "one \\x1b[31m<b>busy</b>" in printed
    assert "two \\x1b[31m<b>busy</b>" in printed
    assert "\x1b" not in printed
    assert not [line for line in printed.splitlines() if line.startswith("12:00:00 store: stored")]


def test_checks_of_the_registry_and_of_history_are_harmless(tmp_path: Path) -> None:
    span = Span(NOON, NOON)
    gaps = gaps_result([Gap("history", one, span, 1, one) for one in HOSTILE]).description
    history = history_result("coin_daily", HOSTILE, SAID).description
    found = SyncResult("held", reason=SAID, lost_fields=["mark_price"], unknown=HOSTILE)
    data = SyncData(found, Phases(), {}, RegistryState(1, 1, 0, 0, 1, []))
    stored = StoredLoad(Registry.sync(NOON), {}, Outcome(data=data))
    registry = [finding.wrong for finding in Registry(tmp_path).hooks().findings(stored) if not finding.passed]
    assert len(registry) == 2
    for description in (gaps, history, *registry):
        assert description
        is_harmless(description)
        assert len(description.splitlines()) == 1
        assert "busy" in description or "evil.example" in description


def test_a_hostile_coin_that_stopped_is_a_row_of_the_gaps(
    run_cycle: Callable[..., dg.ExecuteInProcessResult],
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    lcw: Responses,
) -> None:
    run_cycle()
    with open_database(DataSettings().database) as db:
        db.execute("UPDATE market.coins SET observed_at = observed_at - INTERVAL 2 HOURS WHERE code <> 'BTC'")
    result = definitions.resolve_job_def("derive").execute_in_process(instance=instance)
    table = materialized(result)["ops/gaps"]["newest"]
    is_harmless(table)
    kinds, seen = rendered(table)
    assert kinds.count("td_open") == 4 * len(HOSTILE)
    assert IMAGE in seen
    assert set(query("SELECT subject FROM ops.gaps")) == {(code,) for code in HOSTILE}


@pytest.mark.parametrize(
    ("service", "url", "address"),
    [
        ("slack.NotifySlack", "webhook_url", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"),
        ("discord.NotifyDiscord", "notify_url", "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"),
        ("telegram.NotifyTelegram", "notify_url", "tgram://123456789:abcdefg_hijklmnop/12315544/"),
    ],
)
def test_a_chat_mentions_nobody_and_makes_no_link(
    service: str, url: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real plug-ins, with their servers' addresses set to one of our own."""
    received: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok" if "slack" in service else b'{"ok": true, "result": []}')

        def log_message(self, *_: object) -> None: ...

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    monkeypatch.setattr(f"apprise.plugins.{service}.{url}", f"http://127.0.0.1:{listening.server_port}/x")
    bad = alert(incident=f"job {MENTION}", what=f"listed: {MENTION} {LINK} <@U1> <i>", cause=f"{CONTROL} {IMAGE}")
    try:
        channels, wrong = read_channels(address)
        assert not wrong
        assert set(send_all(channels, bad, None).values()) == {None}
    finally:
        listening.shutdown()
        listening.server_close()
    text = json.dumps(json.loads("".join(received)), ensure_ascii=False)
    assert "listed" in text
    for sign in ("@everyone", "<!", "<@", "](", "\x1b", "<img", "<i>"):
        assert sign not in text, text


def test_no_newline_of_an_alert_adds_a_header_or_a_line() -> None:
    bad = alert(incident="x\r\nBcc: all@example.com", what="a\nSince: never", cause="b\n\nRun: https://evil.example")
    with mail_server() as mailbox:
        channels, _ = read_channels(f"mailto://127.0.0.1:{mailbox.port}?from=lcw@example.com&to=me@example.com")
        assert set(send_all(channels, bad, None).values()) == {None}
    [mail] = mailbox.received
    assert mail["bcc"] is None
    assert mail["to"] == "me@example.com"
    text = mail.get_body(("plain",))
    assert text
    lines = [line for line in text.get_content().splitlines() if line.strip()]
    assert not [line for line in lines if line.startswith(("Since: never", "Run:"))]


def test_what_a_server_says_of_every_call_is_one_line_of_a_failure(
    run_cycle: Callable[..., dg.ExecuteInProcessResult], lcw: Responses
) -> None:
    for path in lcw:
        lcw[path] = (503, {"error": {"code": 503, "status": SAID, "description": SAID * 500}})
    said = failure(run_cycle())
    assert said.startswith("nothing was answered: 503 \\x1b[31m<b>busy</b>\\n12:00:00 store: stored")
    assert said.isprintable()
    assert len(said) < 1500


def test_the_ui_shows_hostile_symbols_as_text(page: Page, kucoin: Responses, tmp_path: Any) -> None:
    """In Chromium: no image is fetched, no link is made, and the symbols can be read."""
    project = Project.make(tmp_path / "project")
    project.run("instance", "info")
    kucoin["api/v1/contracts/active"] = contracts("XBTUSDTM", *HOSTILE, "www.evil.example", "a\\|b")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with server(kucoin) as address:
        done = project.run(
            *("job", "execute", "-m", "lcw_assets.definitions", "-j", "token_registry_sync"),
            KUCOIN_FUTURES_BASE_URL=address,
        )
        assert done.returncode == 0, done.stdout
    with webserver(project) as ui:
        page.goto(f"{ui}/assets/registry/tokens?view=events")
        for symbol in (IMAGE, MENTION, LINK, "www.evil.example"):
            expect(page.get_by_text(symbol).first).to_be_visible(timeout=PATIENCE_MS)
        rows = page.locator("table table tbody tr")
        assert [rows.nth(place).locator("td").count() for place in range(rows.count())] == [5] * 7
        assert page.locator("a[href*='evil.example']").count() == 0
        assert page.locator("img[src*='evil.example']").count() == 0
    assert not [url for url in asked if "evil.example" in url]


def test_an_alert_of_a_kind_that_knows_no_harm_reads_as_it_always_did() -> None:
    plain = Alert(
        incident="job derive", kind="opened", severity="warning", raised_at=NOON, since=NOON,
        what="run 1a2b3c4d of derive failed: p99 78.7 s, target under 45 s (BTC, O'NE, ____PEPE, APE$)",
        cause=None, run_id=None,
    )  # fmt: skip
    with webhook() as hook:
        send_all(read_channels(f"json://127.0.0.1:{hook.port}/")[0], plain, None)
    assert hook.received[0]["message"].splitlines()[0] == plain.what
