"""Who may read what is written: its user alone, or one group as well, whatever the umask and however old the folder."""

from __future__ import annotations

import grp
import os
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest

from lcw_assets.alerts.incidents import Alert
from lcw_assets.alerts.outbox import Outbox
from lcw_assets.coordination import files
from lcw_assets.settings import DataSettings, load_settings
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.market.test_fetch_cycle import failure

GROUP = grp.getgrgid(os.getegid()).gr_name

RunCycle = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(autouse=True, params=[0o000, 0o022, 0o077], ids=["umask 000", "umask 022", "umask 077"])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    assert os.umask(before) == request.param  # nothing that runs here leaves another one behind


def modes(folder: Path) -> dict[str, int]:
    """By path, of the folder and all that is in it."""
    paths = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder.parent)): stat.S_IMODE(path.stat().st_mode) for path in paths}


def wrong(folder: Path, of_folders: int, of_files: int) -> dict[str, str]:
    wanted = {name: of_folders if (folder.parent / name).is_dir() else of_files for name in modes(folder)}
    return {name: f"{mode:o}" for name, mode in modes(folder).items() if mode != wanted[name]}


def alert() -> Alert:
    now = datetime.now(timezone.utc)
    return Alert(
        incident="x", kind="opened", severity="warning", raised_at=now, since=now, what="x", cause=None, run_id=None
    )


def everything(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    """Every job that writes, and an alert that waits."""
    yesterday = f"{datetime.now(timezone.utc) - timedelta(days=1):%Y-%m-%d}"
    for job, tags in {
        "fetch_cycle": {},
        "token_registry_sync": {},
        "backfill_overview_daily": {"dagster/partition": yesterday},
        "derive": {},
        "performance_report": {},
    }.items():
        assert definitions.resolve_job_def(job).execute_in_process(instance=instance, tags=tags).success
    Outbox(DataSettings().alerts_dir, str).put([alert()], pytest.fail)
    with load_settings().of(LCW).rate_limit_file.open():
        pass


def test_nobody_else_reads_what_is_written(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = start_simulator(clock=lambda: datetime.now(timezone.utc))[1]
    monkeypatch.setenv("LCW_BASE_URL", address)
    monkeypatch.setenv("LCW_COINS", "100")
    everything(definitions, instance)
    data = DataSettings().data_dir
    assert wrong(data, 0o700, 0o600) == {}
    written = set(modes(data))
    assert {"data/demo.duckdb", "data/reports/performance.html", "data/limits/simulator-credits"} <= written
    assert {"data/limits/simulator", "data/limits/simulator-history", "data/limits/kucoin-simulator"} <= written
    assert any(name.startswith("data/spool/simulator-alerts/") for name in written)


def test_what_duckdb_makes_while_it_works_is_private_as_well(tmp_path: Path) -> None:
    data = tmp_path / "data"
    files.prepare(data, None, pytest.fail)
    with open_database(data / "demo.duckdb", config={"memory_limit": "40MB"}) as db:
        db.execute("CREATE TABLE ops.x AS SELECT 1 AS a")
        db.execute("CREATE TEMP TABLE large AS SELECT range AS a, md5(range::VARCHAR) AS b FROM range(3000000)")
        now = modes(data)
        assert wrong(data, 0o700, 0o600) == {}
    assert {"data/demo.duckdb", "data/demo.duckdb.wal", "data/demo.duckdb.tmp"} < set(now)
    assert set(modes(data)) == {"data", "data/demo.duckdb"}


def test_a_group_may_read_and_nobody_else(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another group than the process's own, where the user has one (root has them all)."""
    others = [one.gr_gid for one in grp.getgrall()] if os.geteuid() == 0 else os.getgroups()
    gid = next((other for other in others if other != os.getegid()), os.getegid())
    monkeypatch.setenv("LCW_READ_GROUP", grp.getgrgid(gid).gr_name)
    monkeypatch.setenv("LCW_BASE_URL", start_simulator(clock=lambda: datetime.now(timezone.utc))[1])
    monkeypatch.setenv("LCW_COINS", "100")
    everything(definitions, instance)
    data = DataSettings().data_dir
    assert wrong(data, 0o2750, 0o640) == {}
    assert {path.stat().st_gid for path in [data, *data.rglob("*")]} == {gid}
    with open_database(DataSettings().database) as db:
        db.execute("CREATE TABLE ops.x AS SELECT 1 AS a")
        log = data / "demo.duckdb.wal"
        assert (stat.S_IMODE(log.stat().st_mode), log.stat().st_gid) == (0o640, gid)


def test_an_installation_that_was_open_is_closed_and_that_is_said_once(
    run_cycle: RunCycle, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LCW_COINS", "100")
    data = tmp_path / "data"
    old = [data / "spool" / "lcw", data / "limits", data / "cache", data / "reports"]
    for folder in old:
        folder.mkdir(parents=True)
    files = [data / "lcw.duckdb", data / "lcw.duckdb.wal", data / "limits" / "lcw", data / "spool" / "lcw" / "a.x"]
    for file in files:
        file.write_text("")
    outside = tmp_path / "outside"
    outside.write_text("")
    (data / "limits" / "link").symlink_to(outside)
    mine = data / "notes.txt"
    mine.write_text("")
    for path in (data, data / "spool", *old):
        path.chmod(0o755)
    for path in (*files, outside, mine):
        path.chmod(0o644)

    first = run_cycle()
    assert first.success
    for path in (data, data / "spool", *old):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(outside.stat().st_mode) == stat.S_IMODE(mine.stat().st_mode) == 0o644
    again = run_cycle()
    said = [
        [entry.user_message for entry in instance.all_logs(run.run_id) if "may read it" in entry.user_message]
        for run in (first, again)
    ]
    assert said == [[f"{data} had mode 0755: from now on this user may read it, and nobody else"], []]


def test_a_setting_that_is_changed_changes_what_is_there(tmp_path: Path) -> None:
    said: list[str] = []
    data = tmp_path / "data"
    files.prepare(data, None, said.append)
    files.make_folder(data / "spool" / "lcw")
    files.write_file(data / "reports" / "a.html", "")
    files.prepare(data, GROUP, said.append)
    assert wrong(data, 0o2750, 0o640) == {}
    files.prepare(data, None, said.append)
    assert wrong(data, 0o700, 0o600) == {}
    assert [line.partition(": from now on ")[2] for line in said] == [
        f"this user and the group {GROUP} may read it, and nobody else",
        "this user may read it, and nobody else",
    ]


@pytest.mark.parametrize("shared", ["sticky", "home"])
def test_a_folder_that_is_for_more_than_data_keeps_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: str
) -> None:
    tmp_path.chmod(0o1777 if shared == "sticky" else 0o755)
    if shared == "home":
        monkeypatch.setenv("HOME", str(tmp_path))
    before = tmp_path.stat().st_mode
    files.prepare(tmp_path, None, pytest.fail)
    with pytest.raises(files.GroupError, match=f"LCW_READ_GROUP={GROUP}: {tmp_path} is not this user's alone"):
        files.prepare(tmp_path, GROUP, pytest.fail)
    assert tmp_path.stat().st_mode == before
    files.write_file(tmp_path / "spool" / "a", "")
    assert wrong(tmp_path / "spool", 0o700, 0o600) == {}


def test_an_unknown_group_is_one_line_and_nobody_reads(run_cycle: RunCycle, monkeypatch: pytest.MonkeyPatch) -> None:
    data = DataSettings().data_dir
    data.mkdir()
    data.chmod(0o755)
    monkeypatch.setenv("LCW_READ_GROUP", "no-such-group")
    assert failure(run_cycle()) == "LCW_READ_GROUP=no-such-group: there is no group of that name"
    assert modes(data) == {"data": 0o700}


def test_a_group_of_others_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a user who is not root, and in no group but one."""
    theirs = next(one for one in grp.getgrall() if one.gr_gid != os.getegid())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getgroups", lambda: [os.getegid()])
    for name in (theirs.gr_name, str(theirs.gr_gid)):
        with pytest.raises(files.GroupError, match=f"LCW_READ_GROUP={name}: this user is not in that group"):
            files.prepare(tmp_path / "data", name, pytest.fail)


def test_the_umask_is_back_when_the_last_one_has_left(tmp_path: Path) -> None:
    """Sensors look in threads of one process, and its umask is one for all of them."""
    before = os.umask(0o027)
    shared = tmp_path / "shared"
    files.prepare(shared, GROUP, pytest.fail)
    first_in, first_out = threading.Event(), threading.Event()

    def first() -> None:
        with files.foreign_files(shared):
            first_in.set()
            first_out.wait(60)

    thread = threading.Thread(target=first)
    thread.start()
    assert first_in.wait(60)
    with files.foreign_files(tmp_path):
        assert os.umask(0o077) == 0o077  # the stricter one counts
        first_out.set()
        thread.join(60)
        assert os.umask(0o077) == 0o077
    assert os.umask(before) == 0o027
