"""What somebody who may launch runs can give one: no path, no variable, and nothing that ends in a traceback."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lcw_assets.defs.history.definitions import SCHEMA
from lcw_assets.defs.history.sensors import filled
from lcw_assets.defs.history.series import SERIES
from lcw_assets.orchestration.backfills import resumed
from lcw_assets.orchestration.dagster_private import RANGE_END_TAG, RANGE_START_TAG
from lcw_assets.settings import DataSettings, load_settings
from lcw_assets.simulator.server import Simulator
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.market.test_fetch_cycle import failure

DAYS = {RANGE_START_TAG: "2025-12-30", RANGE_END_TAG: "2025-12-31"}
Launch = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def api(start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    monkeypatch.setenv("LCW_TRACKED_COINS", "BTC")
    return simulator


@pytest.fixture
def launch(definitions: dg.Definitions, instance: dg.DagsterInstance, api: Simulator) -> Launch:
    def run(job: str = "backfill_coin_daily", tags: dict[str, str] | None = None, **config: Any) -> Any:
        ops = {"ops": {"coin_daily": {"config": config}}} if config else {}
        return definitions.resolve_job_def(job).execute_in_process(
            instance=instance, raise_on_error=False, tags=DAYS if tags is None else tags, run_config=ops
        )

    return run


def everything_said(instance: dg.DagsterInstance) -> str:
    return "\n".join(str(entry) for run in instance.get_runs() for entry in instance.all_logs(run.run_id))


@pytest.mark.parametrize("coins", ["file:{}", " file:{}", "file:~/{}", "BTC file:{}"])
def test_a_file_is_named_by_the_environment_alone(
    launch: Launch, instance: dg.DagsterInstance, api: Simulator, tmp_path: Path, coins: str
) -> None:
    (tmp_path / "secret.txt").write_text("root:x:0:0 BTC hunter2")
    result = launch(coins=coins.format(tmp_path / "secret.txt"))
    if coins.strip().startswith("file:"):
        assert failure(result) == (
            "coins=file:…: only LCW_TRACKED_COINS may name a file; give codes (BTC ETH) or top:100"
        )
        assert not [entry for entry in api.ledger.entries if "history" in entry.endpoint]
    assert "hunter2" not in everything_said(instance)
    assert not [entry for entry in api.ledger.entries if "hunter2" in entry.request]


@pytest.mark.parametrize("field", ["coins", "refreshed_since", "dry_run", "refresh", "begins"])
def test_no_field_reads_a_variable(
    launch: Launch, instance: dg.DagsterInstance, api: Simulator, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """In Dagster's pydantic configuration a text may be `{"env": "..."}`: whoever launches runs would get the key."""
    monkeypatch.setenv("SECRET", "hunter2")
    with pytest.raises(dg.DagsterInvalidConfigError) as raised:
        launch(**{field: {"env": "SECRET"}})
    assert "hunter2" not in str(raised.value)
    assert api.ledger.entries == ()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"coins": "BTC A\u202eB"}, "coins: word 2 has a character that nobody can see, which no code has"),
        ({"coins": "A\x00B"}, "coins: word 1 has a character that nobody can see"),
        ({"coins": "\ud800"}, "coins: word 1 has a character that nobody can see"),
        ({"coins": "BTC " + "x" * 65}, "coins: word 2 has over 64 characters: no code of Live Coin Watch does"),
        ({"coins": "top:" + "9" * 5000}, "after top: comes a number from 1 to 50000, as in top:100"),
        ({"coins": "top:-1"}, "coins=top:-1: after top: comes a number from 1 to 50000, as in top:100"),
        ({"coins": ","}, "coins names no coin"),
        ({"refresh": True, "refreshed_since": "banana"}, "refreshed_since=banana: it must be a moment such as"),
        ({"refresh": True, "refreshed_since": "0001-01-01T00:00:00+14:00"}, "it must be a moment such as"),
        ({"refresh": True, "refreshed_since": "9999-12-31T23:59:59-14:00"}, "it must be a moment such as"),
    ],
)
def test_what_cannot_be_is_one_line(launch: Launch, config: dict[str, Any], says: str) -> None:
    said = failure(launch(**config))
    assert says in said
    assert len(said.splitlines()) == 1
    assert len(said) < 200


@pytest.mark.parametrize(
    ("job", "resource"), [("backfill_coin_daily", "io_manager"), ("derive", "warehouse"), ("fetch_cycle", "lcw")]
)
def test_no_run_chooses_where_files_are(definitions: dg.Definitions, job: str, resource: str, tmp_path: Path) -> None:
    """Dagster's own IO manager takes a `base_dir`, and a resource without a schema takes anything."""
    for config in ({"base_dir": str(tmp_path)}, {"database": str(tmp_path)}, {"anything": {"env": "HOME"}}):
        with pytest.raises(dg.DagsterInvalidConfigError):
            dg.validate_run_config(definitions.resolve_job_def(job), {"resources": {resource: {"config": config}}})


@pytest.mark.parametrize(
    ("job", "tags", "says"),
    [
        ("backfill_coin_daily", {RANGE_START_TAG: "2025-01-05", RANGE_END_TAG: "2025-01-01"}, "ends before it begins"),
        ("backfill_coin_daily", {"dagster/partition": "2099-01-01"}, "has no day that is over"),
        ("performance_day", {RANGE_START_TAG: "2026-02-05", RANGE_END_TAG: "2026-02-01"}, "a range begins before it"),
        ("performance_day", {RANGE_START_TAG: "1990-01-01", RANGE_END_TAG: "2026-02-01"}, "from 2026-01-01 on"),
        ("performance_day", {"dagster/partition": "2099-01-01"}, "2099-01-01 to 2099-01-01: reports are of days that"),
        ("performance_day", {}, "name a partition or a range"),
        (
            "fetch_cycle",
            {"lcw/scheduled_at": "banana"},
            "the tag lcw/scheduled_at=banana is no moment with a zone",
        ),
        ("fetch_cycle", {"lcw/scheduled_at": "2026-01-01T00:00:00"}, "is no moment with a zone"),
        ("fetch_cycle", {"lcw/scheduled_at": "0001-01-01T00:00:00+14:00"}, "is no moment with a zone"),
        ("fetch_cycle", {"lcw/scheduled_at": "\x1b[31m\n"}, "=\\x1b[31m\\n is no moment with a zone"),
        ("token_registry_sync", {"lcw/scheduled_at": "banana"}, "the tag lcw/scheduled_at=banana is no moment"),
    ],
)
def test_a_tag_that_was_mistyped_is_one_line(launch: Launch, job: str, tags: dict[str, str], says: str) -> None:
    said = failure(launch(job, tags))
    assert says in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "tags",
    [
        {"dagster/max_runtime": "banana"},
        {"dagster/max_runtime": "nan"},
        {"dagster/max_runtime": "-1"},
        {"lcw/slow": "cycle_time critical \x1b[31m"},
        {"lcw/for": "gaps"},
        {"lcw/credits": "many", "lcw/gap": "x"},
        {"lcw/scheduled_at": ""},
    ],
)
def test_tags_that_mean_nothing_stop_no_cycle(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, tags: dict[str, str]
) -> None:
    monkeypatch.setenv("LCW_COINS", "100")
    assert launch("fetch_cycle", tags).success


def test_a_tick_that_is_ahead_is_none(launch: Launch, instance: dg.DagsterInstance) -> None:
    """A cycle would ask until then, and its name would stand last in every table for ever."""
    result = launch("fetch_cycle", {"lcw/scheduled_at": "2999-01-01T00:00:00+00:00"})
    assert result.success
    with open_database(DataSettings().database) as db:
        [(cycle_id, scheduled_at, cycle_s)] = db.execute(
            "SELECT cycle_id, scheduled_at, cycle_s FROM ops.cycles"
        ).fetchall()
    assert cycle_id < "2998"
    assert (scheduled_at, cycle_s > 0) == (None, True)
    assert "the tick of lcw/scheduled_at is ahead of this machine's clock: it is left out" in everything_said(instance)


def test_days_before_the_first_are_left_out_of_a_range(launch: Launch, instance: dg.DagsterInstance) -> None:
    """The calls were paid for before Dagster said that there is no such day."""
    result = launch(tags={RANGE_START_TAG: "1990-01-01", RANGE_END_TAG: "2014-01-02"})
    assert result.success
    assert instance.get_materialized_partitions(dg.AssetKey(["history", "coin_daily"])) == {"2014-01-01", "2014-01-02"}


@pytest.mark.parametrize(
    "tags",
    [
        {"dagster/partition": "banana"},
        {"dagster/partition": "2025-02-30"},
        {},
        {RANGE_START_TAG: "2025-01-05", RANGE_END_TAG: "2025-01-01"},
        {RANGE_START_TAG: "2025-01-05"},
    ],
)
def test_a_run_that_somebody_tagged_as_stopped_stops_no_sensor(
    launch: Launch, instance: dg.DagsterInstance, tags: dict[str, str]
) -> None:
    """Tags are free text: a run of another kind that has this one was requested again each minute, in vain."""
    stopped = {"lcw/stopped-coin_daily": "credits"}
    for given in (tags, {"dagster/partition": "2025-01-01"}):
        instance.add_run(dg.DagsterRun(job_name="other", tags={**stopped, **given}, status=dg.DagsterRunStatus.SUCCESS))
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    [request] = resumed(instance, SERIES, SCHEMA, tomorrow)
    assert request.tags["dagster/partition"] == "2025-01-01"


def test_credits_that_somebody_wrote_into_a_tag_stop_no_sensor(
    launch: Launch, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_COINS", "100")
    for tags in ({}, {"lcw/credits": "banana"}, {"lcw/credits": "-5"}, {"lcw/credits": "9" * 5000}):
        assert launch("fetch_cycle", {"lcw/for": "gaps", **tags}).success
    skipped = filled(instance, load_settings(), datetime.now(timezone.utc))
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == "no gap that 1,000 credits of LCW_GAP_CREDITS=1000 can fill"
    assert DataSettings().database.exists()
