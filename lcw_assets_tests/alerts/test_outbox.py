"""Alerts that outlive a channel that is down, a locked database, and the process that raised them."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
from duckdb import DuckDBPyConnection

from lcw_assets.alerts import channels as channels_module
from lcw_assets.alerts import outbox as outbox_module
from lcw_assets.alerts.channels import Channel, read_channels
from lcw_assets.alerts.outbox import Outbox
from lcw_assets.coordination import locks
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.alerts.receivers import webhook
from lcw_assets_tests.alerts.test_channels import NOON, alert
from lcw_assets_tests.holders import held_open
from lcw_assets_tests.patience import PATIENCE_S
from lcw_assets_tests.servers import raw_server, silence


class Desk:
    """An outbox with its database, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "alerts"
        self.database = folder / "demo.duckdb"
        self.said: list[str] = []

    @property
    def outbox(self) -> Outbox:
        """A new one each time, as in another process."""
        return Outbox(self.folder, "http://ui/runs/{}".format)

    def connect(self) -> AbstractContextManager[DuckDBPyConnection]:
        return open_database(self.database, lock_wait_s=0)

    def flush(self, channels: list[Channel], now: datetime = NOON) -> None:
        self.outbox.flush(channels, self.connect, now, self.said.append)

    def rows(self, columns: str = "incident, kind, delivered, undelivered") -> list[tuple[Any, ...]]:
        with open_database(self.database) as db:
            return db.execute(f"SELECT {columns} FROM ops.alerts ORDER BY alert_id").fetchall()

    def waiting(self) -> list[Path]:
        return sorted(self.folder.glob("*.json"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def channels(*ports: int) -> list[Channel]:
    return read_channels(" ".join(f"json://127.0.0.1:{port}/" for port in ports))[0]


def test_without_channels_an_alert_goes_to_its_table_alone(desk: Desk) -> None:
    desk.outbox.put([alert()], desk.said.append)
    desk.flush([])
    assert desk.rows("incident, severity, what, run_id, link, delivered, undelivered, raised_at") == [
        ("cycle_time", "critical", alert().what, "1a2b", "http://ui/runs/1a2b", [], [], NOON)
    ]
    assert desk.waiting() == []


def test_an_alert_is_sent_once_however_often_one_looks(desk: Desk) -> None:
    with webhook() as hook:
        desk.outbox.put([alert()], desk.said.append)
        for seconds in (0, 10, 600):
            desk.flush(channels(hook.port), NOON + timedelta(seconds=seconds))
    assert len(hook.received) == 1
    assert desk.rows() == [("cycle_time", "opened", ["1 (JSON)"], [])]
    assert desk.said == []


def test_a_channel_that_is_down_is_tried_again_until_it_is_up(desk: Desk) -> None:
    with webhook(503) as down, webhook() as up:
        desk.outbox.put([alert()], desk.said.append)
        desk.flush(channels(down.port, up.port))
        [(_, _, delivered, [undelivered])] = desk.rows()
        assert delivered == ["2 (JSON)"]
        assert undelivered.startswith("1 (JSON): ")
        assert desk.said[0].startswith("channel 1 (JSON) did not take 20261120T120000.000000Z-cycle-time-opened, try 1")
        assert desk.said[0].endswith("tried again from 12:00:30 UTC")
        desk.flush(channels(down.port, up.port), NOON + timedelta(seconds=29))
        assert len(desk.said) == 1  # not due yet
        assert desk.outbox.failing_channels(desk.said.append) == {}
        desk.flush(channels(down.port, up.port), NOON + timedelta(seconds=30))
        assert list(desk.outbox.failing_channels(desk.said.append)) == ["1 (JSON)"]  # twice: somebody should hear of it
        down.status = 200
        desk.flush(channels(down.port, up.port), NOON + timedelta(seconds=90))
    assert (len(down.received), len(up.received)) == (1, 1)
    assert desk.rows() == [("cycle_time", "opened", ["2 (JSON)", "1 (JSON)"], [])]
    assert desk.waiting() == []


def test_a_channel_that_stays_down_is_given_up_and_the_table_says_so(desk: Desk) -> None:
    with webhook(500) as down:
        desk.outbox.put([alert()], desk.said.append)
        for minutes in range(40):
            desk.flush(channels(down.port), NOON + timedelta(minutes=minutes))
    assert len(desk.said) == 7
    assert desk.said[-1].endswith("given up")
    [(_, _, delivered, [undelivered])] = desk.rows()
    assert delivered == []
    assert "500" in undelivered
    assert desk.waiting() == []


def test_a_locked_database_delays_the_row_and_not_the_alert(desk: Desk) -> None:
    with webhook() as hook:
        desk.outbox.put([alert()], desk.said.append)
        with held_open(desk.database):
            desk.flush(channels(hook.port))
            assert len(hook.received) == 1
            assert "held open by" in desk.said[0]
            assert len(desk.waiting()) == 1
        desk.flush(channels(hook.port), NOON + timedelta(seconds=10))
    assert len(hook.received) == 1
    assert desk.rows() == [("cycle_time", "opened", ["1 (JSON)"], [])]
    assert desk.waiting() == []


def test_alerts_that_a_dead_process_left_are_sent_by_the_next(desk: Desk) -> None:
    desk.outbox.put([alert(), alert(kind="recovered", raised_at=NOON + timedelta(minutes=9))], desk.said.append)
    with webhook() as hook:
        desk.flush(channels(hook.port))
    assert [received["type"] for received in hook.received] == ["failure", "success"]


def test_a_file_that_is_no_alert_is_set_aside_and_blocks_nothing(desk: Desk) -> None:
    desk.outbox.put([alert()], desk.said.append)
    (desk.folder / "0.json").write_text("{half")
    desk.flush([])
    assert len(desk.rows()) == 1
    assert desk.said == [f"{desk.folder / '0.json'} is no alert; it is set aside as {desk.folder / '0.unreadable'}"]


def test_two_that_look_at_once_send_once(desk: Desk) -> None:
    desk.outbox.put([alert()], desk.said.append)

    def look_meanwhile() -> AbstractContextManager[DuckDBPyConnection]:
        desk.outbox.flush(channels(hook.port), desk.connect, NOON, desk.said.append)
        return desk.connect()

    with webhook() as hook:
        desk.outbox.flush(channels(hook.port), look_meanwhile, NOON, desk.said.append)
    assert len(hook.received) == 1


def test_while_another_process_sends_nothing_is_sent(desk: Desk) -> None:
    desk.outbox.put([alert()], desk.said.append)
    with webhook() as hook:
        other = os.open(desk.folder, os.O_RDONLY)
        assert locks.acquire(other)
        desk.flush(channels(hook.port))
        assert hook.received == []
        os.close(other)
        desk.flush(channels(hook.port))
    assert len(hook.received) == 1


def test_a_channel_that_is_dead_does_not_hold_up_the_rest(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs one wait, not one for each alert; the worst alert goes first."""
    monkeypatch.setattr(channels_module, "_SEND_S", 3.0)
    monkeypatch.setattr(outbox_module, "_FLUSH_S", PATIENCE_S)
    mild = [alert(incident=f"mild {number}", severity="warning") for number in range(5)]
    desk.outbox.put([*mild, alert()], desk.said.append)
    with raw_server(silence) as dead, webhook() as up:
        silent = dead.replace("http", "json") + "?rto=600"
        both = read_channels(f"{silent} json://127.0.0.1:{up.port}/")[0]
        desk.flush(both)
    assert up.received[0]["title"] == "lcw-assets critical: cycle_time"
    assert len(up.received) == 6
    assert sum("no response within" in line for line in desk.said) == 1
    assert sum("it had just failed another alert" in line for line in desk.said) == 5


def test_a_database_that_breaks_delays_the_row_and_sends_nothing_twice(desk: Desk) -> None:
    """The disk is full, say."""

    def broken() -> AbstractContextManager[DuckDBPyConnection]:
        raise duckdb.IOException("No space left on device")

    desk.outbox.put([alert()], desk.said.append)
    with webhook() as hook:
        for _ in range(3):
            desk.outbox.flush(channels(hook.port), broken, NOON, desk.said.append)
        desk.flush(channels(hook.port))
    assert len(hook.received) == 1
    assert len(desk.rows()) == 1
    assert "No space left" in desk.said[0]


def test_a_disk_that_takes_nothing_does_not_silence_an_alert(desk: Desk) -> None:
    desk.folder.write_text("a file where the folder should be")
    outbox = desk.outbox
    with webhook() as hook:
        outbox.put([alert()], desk.said.append)
        outbox.flush(channels(hook.port), desk.connect, NOON, desk.said.append)
    assert len(hook.received) == 1
    assert len(desk.rows()) == 1
    assert "takes no alerts (" in desk.said[0]


def test_no_secret_is_in_any_file_row_or_line(desk: Desk) -> None:
    with webhook(500) as down:
        address = f"json://someuser:passw0rd@127.0.0.1:{down.port}/s3cr3t"
        desk.outbox.put([alert()], desk.said.append)
        desk.flush(read_channels(address)[0])
    everything = json.dumps(desk.said) + str(desk.rows("*")) + "".join(path.read_text() for path in desk.waiting())
    assert "500" in everything
    for secret in ("someuser", "passw0rd", "s3cr3t"):
        assert secret not in everything


def test_nothing_to_send_opens_no_database(desk: Desk) -> None:
    desk.outbox.flush([], partial(pytest.fail, "opened"), NOON, desk.said.append)
    assert not desk.folder.exists()


def test_what_is_put_in_again_is_not_sent_again(desk: Desk) -> None:
    """Who told of it died before it could remember that, and the database was locked when it was sent."""
    with webhook() as hook, held_open(desk.database):
        for _ in range(2):
            desk.outbox.put([alert()], desk.said.append)
            desk.flush(channels(hook.port))
    assert len(hook.received) == 1
    desk.flush(channels(hook.port))
    assert (len(desk.rows()), desk.waiting()) == (1, [])


def test_that_the_database_is_open_elsewhere_is_said_once_an_alert(desk: Desk) -> None:
    """A sensor looks every ten seconds, and a notebook may be open for an hour."""
    with webhook() as hook, held_open(desk.database) as holder:
        desk.outbox.put([alert()], desk.said.append)
        for _ in range(3):
            desk.flush(channels(hook.port))
        desk.outbox.put([alert(incident="another")], desk.said.append)
        for _ in range(3):
            desk.flush(channels(hook.port))
    assert len(hook.received) == 2
    assert len(desk.said) == 2
    for line in desk.said:
        assert line.startswith(f"alerts wait in {desk.folder} to be stored: {desk.database} is held open by ")
        assert f"(process {holder.pid})" in line
    desk.flush(channels(hook.port))
    assert (len(desk.rows()), desk.waiting()) == (2, [])


def test_a_folder_among_the_alerts_stops_none(desk: Desk) -> None:
    desk.outbox.put([alert()], desk.said.append)
    (desk.folder / "20261120T120000.000000Z-x-opened.json").mkdir()
    with webhook() as hook:
        desk.flush(channels(hook.port))
    assert len(hook.received) == 1
    assert "is no alert; it is set aside as" in desk.said[0]
    assert desk.waiting() == []
