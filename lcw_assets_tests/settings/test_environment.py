"""What a user's environment does to the commands: `.env` and the shell, certificates, keys that a server echoes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lcw_assets_tests.commands import ROOT, Project
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.network import bundle, over_tls, relay
from lcw_assets_tests.servers import raw_server, reply, rewritten
from lcw_assets_tests.test_commands import assert_nowhere

KEY = "0d5a1c3e-7b62-4f18-9a4d-2f6e8c0b7d91"
OTHER_KEY = "5f1b2c7d-0e94-4a63-8b1e-c3d9a7f20468"

SYNC = ("job", "execute", "-m", "lcw_assets.definitions", "-j", "token_registry_sync")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.make(tmp_path / "project")
    project.run("instance", "info")
    return project


def rows(project: Project, sql: str, name: str = "lcw") -> list[tuple[Any, ...]]:
    with duckdb.connect(str(project.data / f"{name}.duckdb"), read_only=True) as db:
        return db.execute(sql).fetchall()


# One rule for `.env` and the shell.


def test_the_example_copied_hides_no_exported_key(project: Project, start_simulator: StartSimulator) -> None:
    shutil.copy(ROOT / ".env.example", project.folder / ".env")
    _, address = start_simulator(api_key=KEY, marked=False)
    exported = {"LCW_API_KEY": KEY, "LCW_BASE_URL": address, "LCW_COINS": "100"}
    cycle, status = project.cycle(**exported), project.run("lcw_assets", **exported)
    assert cycle.returncode == 0, cycle.stdout
    assert "from lcw" in status.stdout
    assert "does not count" not in cycle.stdout + status.stdout


def test_an_empty_line_hides_an_exported_key_in_every_command_and_each_says_so(project: Project) -> None:
    (project.folder / ".env").write_text("LCW_API_KEY=\nLCW_COINS=100\n")
    says = (
        ".env sets LCW_API_KEY to nothing, and .env wins over the shell: an exported LCW_API_KEY does not count. "
        "Delete that line, or give it a value\n"
    )
    cycle, status = project.cycle(LCW_API_KEY=KEY), project.run("lcw_assets", LCW_API_KEY=KEY)
    assert cycle.returncode == 0, cycle.stdout
    assert cycle.stdout.count(says) == 1  # and not once a step
    assert status.stdout.count(says) == 1
    assert "from simulator" in status.stdout
    assert project.run(*SYNC, LCW_API_KEY=KEY).stdout.count(says) == 1


@pytest.mark.parametrize("file", ["LCW_COINS=200\n", "\ufeffLCW_COINS=200\r\nLCW_EXCHANGES=50\r\n\x1a"])
def test_what_dotenv_says_wins_over_the_shell_in_every_command(project: Project, file: str) -> None:
    (project.folder / ".env").write_text(file, encoding="utf-8", newline="")
    cycle = project.cycle(LCW_COINS="100")
    assert "200 coins seen" in cycle.stdout
    (project.folder / ".env").write_text(file.replace("200", "0"), encoding="utf-8", newline="")
    cycle, status = project.cycle(LCW_COINS="100"), project.run("lcw_assets", LCW_COINS="100")
    says = "LCW_COINS=0 is out of range: it must be a number from 1 to 50000\n"
    assert says in cycle.stdout
    assert status.stdout == says


def test_status_refuses_a_dotenv_that_no_cycle_can_read(project: Project) -> None:
    (project.folder / ".env").write_bytes("LCW_COINS=200\n".encode("utf-16"))
    status = project.run("lcw_assets")
    assert status.returncode == 1
    assert status.stdout == ".env, line 1: it is not text in UTF-8: save it as UTF-8\n"


# Certificates.


@contextmanager
def secure(address: str) -> Iterator[str]:
    """The simulator at this address, behind TLS with a certificate by an authority of our own."""
    with raw_server(over_tls(relay(int(address.rsplit(":", 1)[1])))) as front:
        yield front.replace("http:", "https:")


def test_a_cycle_over_tls_on_loopback_believes_the_bundle_and_takes_no_proxy(
    project: Project, start_simulator: StartSimulator, tmp_path: Path
) -> None:
    _, address = start_simulator()
    with secure(address) as front:
        done = project.cycle(
            LCW_BASE_URL=front,
            LCW_COINS="100",
            CURL_CA_BUNDLE=str(bundle(tmp_path)),
            HTTPS_PROXY="http://me:pr0xyp4ss@127.0.0.1:1",
        )
    assert done.returncode == 0, done.stdout
    assert "complete: 100 coins seen" in done.stdout


def test_a_missing_bundle_is_one_line_and_a_failed_cycle_with_its_facts(
    project: Project, start_simulator: StartSimulator
) -> None:
    simulator, address = start_simulator()
    with secure(address) as front:
        done = project.cycle(LCW_BASE_URL=front, REQUESTS_CA_BUNDLE="/no/such/ca.pem")
    why = "REQUESTS_CA_BUNDLE=/no/such/ca.pem: this file does not exist: mend the path, or set the variable to nothing"
    assert done.returncode == 1
    assert f"cycle: failed: nothing was answered: {why}\n" in done.stdout
    assert "Traceback" not in done.stdout
    assert "Stack Trace" not in done.stdout
    assert not simulator.ledger.entries
    assert rows(project, "SELECT status, len(missing) FROM ops.cycles", "demo") == [("failed", 14)]
    sent = "FROM ops.calls WHERE outcome <> 'deadline'"
    assert rows(project, f"SELECT DISTINCT outcome, error {sent}", "demo") == [("rejected", why)]
    [(calls,)] = rows(project, f"SELECT count(*) {sent}", "demo")
    assert calls < 14  # those that were on their way: the pull ended with the first


def test_a_missing_bundle_is_one_line_and_a_failed_sync_with_its_facts(
    project: Project, start_simulator: StartSimulator
) -> None:
    _, address = start_simulator()
    with secure(address) as front:
        done = project.run(*SYNC, KUCOIN_FUTURES_BASE_URL=front, CURL_CA_BUNDLE="/no/such/ca.pem")
    why = "CURL_CA_BUNDLE=/no/such/ca.pem: this file does not exist: mend the path, or set the variable to nothing"
    assert done.returncode == 1
    assert f"sync: failed: nothing was answered: {why}\n" in done.stdout
    assert "Traceback" not in done.stdout
    assert rows(project, "SELECT status FROM ops.syncs", "demo") == [("failed",)]
    assert rows(project, "SELECT outcome, error FROM ops.calls", "demo") == [("rejected", why)]


def test_a_proxys_password_is_nowhere(project: Project) -> None:
    done = project.cycle(
        LCW_API_KEY=KEY, LCW_BASE_URL="https://api.example", HTTPS_PROXY="http://proxyuser:pr0xyp4ss@127.0.0.1:1"
    )
    assert "the proxy 127.0.0.1:1 of HTTPS_PROXY refuses connections" in done.stdout
    assert_nowhere("pr0xyp4ss", project.folder, done.stdout)
    assert_nowhere("proxyuser", project.folder)


# The key.


def test_a_key_that_the_server_echoes_in_good_data_is_nowhere_and_the_data_is_whole(
    project: Project, start_simulator: StartSimulator
) -> None:
    """Once beside the data, in every coin and every object; once within it, as the name of a coin."""
    _, address = start_simulator(api_key=KEY, marked=False)

    def echo(endpoint: str, document: Any) -> Any:
        for each in document if isinstance(document, list) else [document]:
            each["request"] = {"headers": {"x-api-key": KEY}}
        if endpoint == "coins/list":
            document[1]["name"] = f"coin of {KEY.upper()}"
        return document

    with rewritten(address, echo) as front:
        done = project.cycle(LCW_API_KEY=KEY, LCW_BASE_URL=front, LCW_COINS="100")
    assert done.returncode == 0, done.stdout
    assert "complete: 100 coins seen, 100 changed, 0 quarantined" in done.stdout
    assert_nowhere(KEY, project.folder, done.stdout)
    assert_nowhere(KEY.upper(), project.folder, done.stdout)
    assert rows(project, "SELECT count(*) FROM market.coins WHERE code LIKE '%*%'") == [(0,)]
    assert rows(project, "SELECT rank, name FROM market.coins WHERE name LIKE '%*%'") == [(2, "coin of ***")]
    [(payload,)] = rows(project, "SELECT payload FROM raw.pulls WHERE endpoint = 'credits'")
    assert json.loads(payload)["request"] == {"headers": {"x-api-key": "***"}}


@pytest.mark.parametrize("status", ["403 Forbidden", "200 OK"])
def test_a_key_that_the_server_echoes_in_an_error_is_nowhere(project: Project, status: str) -> None:
    with raw_server(reply(status, f"<html><title>{KEY}</title>you sent {KEY}</html>".encode())) as address:
        done = project.cycle(LCW_API_KEY=KEY, LCW_BASE_URL=address, LCW_COINS="100")
    assert done.returncode == 1
    assert "***" in done.stdout
    assert_nowhere(KEY, project.folder, done.stdout)


def test_a_coins_code_is_no_key(project: Project) -> None:
    done = project.cycle(LCW_API_KEY="C1")
    assert done.returncode == 1
    assert "cycle: failed: LCW_API_KEY: 2 characters are no key of Live Coin Watch" in done.stdout
    assert "Traceback" not in done.stdout
