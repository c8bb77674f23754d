"""The simulator as a server: its responses, its faults, its ledger."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from lcw_assets.simulator.discovery import discover, profiles
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.simulator.server import Simulator
from lcw_assets_tests.conftest import NOON, StartSimulator
from lcw_assets_tests.patience import PATIENCE_S

PROFILES = profiles(discover())


def post(address: str, endpoint: str, **request: Any) -> requests.Response:
    return requests.post(f"{address}/{endpoint}", json=request, timeout=PATIENCE_S)


def test_defaults_and_limits(start_simulator: StartSimulator) -> None:
    _, address = start_simulator()
    assert len(post(address, "coins/list").json()) == 10
    assert len(post(address, "coins/list", limit=250).json()) == 100
    assert len(post(address, "exchanges/list").json()) == 50
    assert len(post(address, "coins/map", codes=["BTC", "ETH", "nope"]).json()) == 2
    assert post(address, "coins/list", meta="true", limit=1).json()[0]["name"] == "Bitcoin"


@pytest.mark.parametrize(
    ("endpoint", "request_body", "code"),
    [
        ("coins/list", {"limit": -1}, 400),
        ("coins/list", {"sort": "cap"}, 400),
        ("coins/list", {"currency": "no such money"}, 400),
        ("coins/single", {}, 400),
        ("coins/map", {}, 400),
        ("coins/single/history", {"code": "BTC", "start": 2, "end": 1}, 400),
        ("no/such/endpoint", {}, 404),
    ],
)
def test_errors_are_objects(
    start_simulator: StartSimulator, endpoint: str, request_body: dict[str, Any], code: int
) -> None:
    _, address = start_simulator()
    response = post(address, endpoint, **request_body)
    assert (response.status_code, response.json()["error"]["code"]) == (code, code)


def test_other_methods_get_405_and_bad_json_400(start_simulator: StartSimulator) -> None:
    _, address = start_simulator()
    assert requests.get(f"{address}/status", timeout=PATIENCE_S).json()["error"]["code"] == 405
    assert requests.post(f"{address}/overview", data=b"{", timeout=PATIENCE_S).json()["error"]["code"] == 400


def test_keys_and_credits(start_simulator: StartSimulator) -> None:
    _, address = start_simulator(api_key="k", credits_per_day=1)
    assert post(address, "overview").json()["error"]["code"] == 401
    good = requests.post(f"{address}/overview", headers={"x-api-key": "k"}, timeout=PATIENCE_S)
    assert good.status_code == 200
    assert requests.post(f"{address}/overview", headers={"x-api-key": "k"}, timeout=PATIENCE_S).status_code == 402


def test_credits_go_down_with_each_call_and_are_there_again_at_midnight(start_simulator: StartSimulator) -> None:
    now = NOON
    _, address = start_simulator(credits_per_day=3, clock=lambda: now)
    left = [post(address, endpoint).json() for endpoint in ("credits", "status", "credits")]
    assert [one.get("dailyCreditsRemaining") for one in left] == [2, None, 1]
    assert [post(address, "overview").status_code for _ in range(2)] == [200, 402]
    now = NOON.replace(hour=23, minute=59, second=59)
    assert post(address, "overview").status_code == 402
    now = NOON.replace(day=21, hour=0)
    assert post(address, "credits").json() == {"dailyCreditsRemaining": 2, "dailyCreditsLimit": 3}


def test_a_minute_has_one_response_and_the_next_another(start_simulator: StartSimulator) -> None:
    now = NOON
    simulator, address = start_simulator(clock=lambda: now)
    for seconds in (0, 59, 60):
        now = NOON + timedelta(seconds=seconds)
        post(address, "coins/list", limit=5)
        post(address, "coins/list", limit=6)
        requests.get(f"{address}/api/v1/contracts/active", timeout=PATIENCE_S)
    digests = [entry.digest for entry in simulator.ledger.entries]
    assert digests[:3] == digests[3:6]
    assert len(set(digests)) == 6


def test_the_ledger_tells_what_was_served(start_simulator: StartSimulator, tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    simulator, address = start_simulator(ledger_file=file)
    post(address, "coins/list", limit=3)
    requests.get(f"{address}/status", timeout=PATIENCE_S)
    good, bad = simulator.ledger.entries
    assert (good.provider, good.endpoint, good.status, good.good) == ("live_coin_watch", "coins/list", 200, True)
    assert json.loads(good.request) == {"limit": 3}
    assert (bad.status, bad.good) == (405, False)
    assert [json.loads(line)["digest"] for line in file.read_text().splitlines()] == [good.digest, bad.digest]


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_profiles_repeat_themselves(name: str) -> None:
    draws = [Draw(7, "coins/list", f"page {n % 10}", n, n // 10) for n in range(400)]
    assert [PROFILES[name](draw) for draw in draws] == [PROFILES[name](draw) for draw in draws]


def test_flaky_has_every_kind_of_fault() -> None:
    faults = [PROFILES["flaky"](Draw(1, "coins/list", f"{n % 10}", n, n // 10)) for n in range(5_000)]
    kinds = Counter(fault.kind for fault in faults)
    assert set(kinds) == {
        "none", "error", "html", "truncated", "cut", "reset", "drip", "wrong_shape", "repeated"
    }  # fmt: skip
    assert {fault.retry_after for fault in faults if fault.status == 429} == {"1", None}
    assert 0.6 < kinds["none"] / 5_000 < 0.85


def test_slow_is_log_normal() -> None:
    delays = sorted(PROFILES["slow"](Draw(1, "coins/list", str(n), n, 1)).delay_s for n in range(4_000))
    assert delays[2_000] == pytest.approx(1.2, rel=0.1)
    assert 5 < delays[3_960] < 20


def test_down_answers_nothing_useful() -> None:
    assert "none" not in {PROFILES["down"](Draw(1, "status", "", n, n)).kind for n in range(200)}


def test_faults_on_the_wire(start_simulator: StartSimulator) -> None:
    """What a plain client meets for each kind."""
    fault = Fault()
    simulator, address = start_simulator(profile=lambda _: fault)
    fault = Fault("reset")
    with pytest.raises(requests.ConnectionError):
        post(address, "status")
    fault = Fault("cut")
    with pytest.raises(requests.RequestException):
        post(address, "coins/list")
    fault = Fault("truncated")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        post(address, "coins/list").json()
    fault = Fault("wrong_shape")
    assert set(post(address, "coins/list").json()) == {"data"}
    fault = Fault("html", status=522)
    assert post(address, "status").text.startswith("<!DOCTYPE")
    fault = Fault(delay_s=0.2)
    started = time.monotonic()
    post(address, "status")
    assert time.monotonic() - started >= 0.2
    fault = Fault("drip")
    with requests.post(f"{address}/coins/list", stream=True, timeout=PATIENCE_S) as response:
        assert next(response.iter_content(1)) == b"["
    fault = Fault("repeated")
    first = {coin["code"] for coin in post(address, "coins/list", offset=0, limit=100).json()}
    second = {coin["code"] for coin in post(address, "coins/list", offset=100, limit=100).json()}
    assert len(first & second) == 5
    entries = simulator.ledger.entries
    assert {entry.fault for entry in entries if entry.good} == {"none", "repeated"}
    assert {entry.fault for entry in entries} >= {"reset", "cut", "truncated", "wrong_shape", "html"}
    assert not [entry for entry in entries if entry.fault in ("cut", "drip", "reset") and entry.finished]


def test_replay_serves_a_folder(start_simulator: StartSimulator, recorded_lcw: Path) -> None:
    _, address = start_simulator(replay=recorded_lcw)
    [file] = recorded_lcw.glob("*.json")
    recorded = json.loads(file.read_text())
    assert post(address, "coins/list", offset=90, limit=100).json() == recorded[90:]
    assert post(address, "status").json() == {}
    assert post(address, "overview").json()["error"]["description"] == "There is no recording of overview."


def test_replay_needs_recordings(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no recorded responses"):
        Simulator(replay=tmp_path)
    (tmp_path / "what.json").write_text("[]")
    with pytest.raises(ValueError, match="named after no endpoint"):
        Simulator(replay=tmp_path)


def test_it_runs_alone_until_it_is_stopped() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "lcw_assets.simulator", "--port", "0", "--profile", "flaky"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        address = process.stdout.readline().split(" at ")[1].split()[0]
        codes = {requests.post(f"{address}/status", timeout=PATIENCE_S).status_code for _ in range(3)}
        assert codes & {200, 429, 500, 503}
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def test_a_port_in_use_is_named(start_simulator: StartSimulator) -> None:
    _, address = start_simulator()
    port = address.rsplit(":", 1)[1]
    done = subprocess.run(
        [sys.executable, "-m", "lcw_assets.simulator", "--port", port],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 2
    assert f"port {port} is not free" in done.stderr
    assert "Traceback" not in done.stderr
