"""The spool: nothing that was written is lost, whatever happens to the process or the disk."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lcw_assets.warehouse.cycle import Cycle, PullEnd
from lcw_assets.warehouse.errors import UnstorableError
from lcw_assets.warehouse.spool import Spool
from lcw_assets.warehouse.spool_file import Spooled, SpoolError

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


class Thing:
    def __init__(self, **row: Any) -> None:
        self.row = row

    def to_row(self) -> dict[str, Any]:
        return self.row


def cycle(cycle_id: str = "20261120T120000.000Z-aaaaaaaa") -> Cycle:
    return Cycle(
        cycle_id=cycle_id,
        run_id="run",
        scheduled_at=None,
        clock_started_at=NOON,
        started_at=NOON,
        queue_s=0.0,
        start_s=0.5,
        late_tick=False,
        source="lcw",
        currency="USD",
    )


END = PullEnd(NOON, 1.5, ["exchanges/list: timed out"])


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with spool.open(cycle()) as writer:
        writer.attempt(Thing(endpoint="status", latency_s=0.25))
        writer.answer(Thing(endpoint="coins/list", payload='[{"name": "₿ \n \\u20bf"}]'))
        writer.refused(Thing(endpoint="overview", payload="<html>"), "not JSON")
        writer.end(END)
    [path] = spool.pending()
    read = spool.read(path)
    assert read is not None
    assert (read.cycle, read.end, read.damaged) == (cycle(), END, [])
    assert read.attempts == [{"endpoint": "status", "latency_s": 0.25}]
    assert read.answers == [{"endpoint": "coins/list", "payload": '[{"name": "₿ \n \\u20bf"}]'}]
    assert read.refused == [{"endpoint": "overview", "payload": "<html>", "reason": "not JSON"}]
    spool.remove(path)
    assert spool.pending() == []
    assert spool.read(path) is None


def test_cycles_wait_in_the_order_of_their_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for minute in ("1203", "1201", "1202"):
        with spool.open(cycle(f"20261120T{minute}00.000Z-aaaaaaaa")) as writer:
            writer.end(END)
    assert [path.name[9:13] for path in spool.pending()] == ["1201", "1202", "1203"]


def test_a_cycle_that_still_pulls_does_not_wait(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with spool.open(cycle()) as writer:
        writer.answer(Thing(endpoint="status", payload="{}"))
        other = "import sys; from pathlib import Path; from lcw_assets.warehouse.spool import Spool\n"
        other += "print(Spool(Path(sys.argv[1])).pending())"
        seen = subprocess.run([sys.executable, "-c", other, str(tmp_path)], capture_output=True, text=True, check=True)
        assert seen.stdout == "[]\n"
    assert len(spool.pending()) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from lcw_assets_tests.warehouse.test_spool import *
with Spool(Path(sys.argv[1])).open(cycle()) as writer:
    writer.answer(Thing(endpoint="status", payload="{}"))
    os.write(writer._fd, b'{"kind":"answer","endpoint":"over')
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_cycle_waits_with_what_it_has(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    spool = Spool(tmp_path)
    [path] = spool.pending()
    read = spool.read(path)
    assert read is not None
    assert read.answers == [{"endpoint": "status", "payload": "{}"}]
    assert read.end is None
    assert read.damaged == ['{"kind":"answer","endpoint":"over']


def test_answers_that_an_older_version_spooled_are_read(tmp_path: Path) -> None:
    with Spool(tmp_path).open(cycle()) as writer:
        writer.end(END)
    [path] = Spool(tmp_path).pending()
    path.write_bytes(path.read_bytes() + b'{"kind":"answer","endpoint":"status","payload":"{\\"a\\": 1}"}\n')
    read = Spool(tmp_path).read(path)
    assert read is not None
    assert read.answers == [{"endpoint": "status", "payload": '{"a": 1}'}]


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999", '"5"', "true"])
def test_a_length_that_is_none_costs_its_line(tmp_path: Path, length: str) -> None:
    with Spool(tmp_path).open(cycle()) as writer:
        writer.end(END)
    [path] = Spool(tmp_path).pending()
    line = f'{{"kind":"answer","endpoint":"status","payload_bytes":{length}}}\n{{}}\n'
    path.write_bytes(path.read_bytes() + line.encode())
    read = Spool(tmp_path).read(path)
    assert read is not None
    assert (read.answers, read.end) == ([], END)
    assert "payload_bytes" in "".join(read.damaged)


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        (b'"cycle_id":', b'"cycle":'),  # of another version: a field is missing and one is new
        (b'"started_at":"', b'"started_at":"about '),
        (b'"pull_s":', b'"pulled_s":'),
        (b'"missing":', b'"lost":'),
    ],
)
def test_a_file_of_another_version_is_set_aside_and_blocks_nothing(tmp_path: Path, line: bytes, instead: bytes) -> None:
    spool, said = Spool(tmp_path), list[str]()
    for minute in ("1201", "1202"):
        with spool.open(cycle(f"20261120T{minute}00.000Z-aaaaaaaa")) as writer:
            writer.end(END)
    other, _ = spool.pending()
    assert line in other.read_bytes()
    other.write_bytes(other.read_bytes().replace(line, instead))
    stored = list(spool.drain(lambda spooled: spooled.cycle.cycle_id, said.append))
    assert stored == ["20261120T120200.000Z-aaaaaaaa"]
    assert "is of another version, or damaged" in said[0]
    assert [path.suffix for path in tmp_path.iterdir()] == [".unreadable"]


def test_a_payload_that_was_damaged_is_kept_as_it_is(tmp_path: Path) -> None:
    with Spool(tmp_path).open(cycle()) as writer:
        writer.answer(Thing(endpoint="status", payload='{"paid": "for"}'))
        writer.end(END)
    [path] = Spool(tmp_path).pending()
    path.write_bytes(path.read_bytes().replace(b"paid", b"p\xffid"))
    read = Spool(tmp_path).read(path)
    assert read is not None
    assert (read.answers, read.end) == ([], END)
    assert [row["payload"] for row in read.quarantine()][1] == '{"p\ufffdid": "for"}'


@pytest.mark.parametrize("lost", [b'"payload_bytes"', b'"endpoint"', b'"reason"'])
def test_an_answer_without_what_makes_it_one_is_a_damaged_line(tmp_path: Path, lost: bytes) -> None:
    with Spool(tmp_path).open(cycle()) as writer:
        writer.refused(Thing(endpoint="status", payload="{}"), "no status")
        writer.end(END)
    [path] = Spool(tmp_path).pending()
    path.write_bytes(path.read_bytes().replace(lost, b'"other"'))
    read = Spool(tmp_path).read(path)
    assert read is not None
    assert (read.refused, read.end) == ([], END)
    assert {row["endpoint"] for row in read.quarantine()} == {"spool"}
    assert b"no status" in "".join(row["payload"] for row in read.quarantine()).encode()


def test_what_cannot_be_stored_is_set_aside_and_told_when_the_others_are(tmp_path: Path) -> None:
    spool, said, stored = Spool(tmp_path), list[str](), list[str]()
    for minute in ("1201", "1202", "1203"):
        with spool.open(cycle(f"20261120T{minute}00.000Z-aaaaaaaa")) as writer:
            writer.end(END)

    def store(spooled: Spooled) -> str:
        if "T1202" in spooled.cycle.cycle_id:
            raise TypeError("no such thing")
        return spooled.cycle.cycle_id[9:13]

    with pytest.raises(UnstorableError, match=r"T120200.000Z-aaaaaaaa cannot be stored \(TypeError: no such thing\)"):
        stored.extend(spool.drain(store, said.append))
    aside = tmp_path / "20261120T120200.000Z-aaaaaaaa.unreadable"
    assert list(tmp_path.iterdir()) == [aside]
    aside.rename(aside.with_suffix(".jsonl"))
    assert list(spool.drain(lambda spooled: spooled.cycle.cycle_id, said.append)) == ["20261120T120200.000Z-aaaaaaaa"]


@pytest.mark.parametrize(
    "error", [duckdb.IOException("disk full"), RuntimeError("what?"), duckdb.CatalogException("x")]
)
def test_what_is_not_the_files_fault_leaves_it_waiting(tmp_path: Path, error: Exception) -> None:
    spool = Spool(tmp_path)
    with spool.open(cycle()) as writer:
        writer.end(END)

    def store(_: Spooled) -> None:
        raise error

    with pytest.raises(type(error)):
        list(spool.drain(store, print))
    assert len(spool.pending()) == 1


def test_a_file_that_is_no_cycle_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "junk.jsonl").write_text("what is this\n")
    spool = Spool(tmp_path)
    [path] = spool.pending()
    with pytest.raises(ValueError, match=r"junk\.jsonl does not begin with a cycle"):
        spool.read(path)
    assert spool.set_aside(path).read_text() == "what is this\n"
    assert spool.pending() == []


def test_what_outlives_its_cycle_is_not_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with spool.open(cycle()) as writer:
        writer.end(END)
    writer.answer(Thing(endpoint="afterwards", payload="{}"))
    [path] = spool.pending()
    assert b"afterwards" not in path.read_bytes()


def test_a_file_that_was_never_named_is_swept_up_after_an_hour(tmp_path: Path) -> None:
    old, young = tmp_path / "old.new", tmp_path / "young.new"
    for file, age_s in ((old, 7200), (young, 60)):
        file.touch()
        os.utime(file, (time.time() - age_s,) * 2)
    with Spool(tmp_path).open(cycle()) as writer:
        writer.end(END)
    assert not old.exists()
    assert young.exists()


def test_two_cycles_cannot_have_one_name(tmp_path: Path) -> None:
    other = tmp_path / f"{cycle().cycle_id}.new"
    other.touch()
    os.utime(other, (time.time(),) * 2)
    with pytest.raises(SpoolError, match="takes no answers"), Spool(tmp_path).open(cycle()):
        pass


def test_a_folder_that_cannot_be_written_to_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match=r"/proc/lcw/spool takes no answers .*set LCW_DATA_DIR to"):
        with Spool(Path("/proc/lcw/spool")).open(cycle()):
            pytest.fail("opened")
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SpoolError, match="set LCW_DATA_DIR to a folder that can be written to"):
        with Spool(file / "spool").open(cycle()):
            pytest.fail("opened")


FULL = """
import resource, sys
from pathlib import Path
from lcw_assets_tests.warehouse.test_spool import *
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
spool = Spool(Path(sys.argv[1]))
with spool.open(cycle()) as writer:
    writer.answer(Thing(endpoint="coins/list", payload="x" * 60_000))
    try:
        writer.answer(Thing(endpoint="coins/list", payload="y" * 60_000))
    except SpoolError as error:
        print(error)
    writer.attempt(Thing(endpoint="status"))
"""


def test_a_disk_that_takes_no_more_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    """A limit on the size of files is refused by the kernel in the middle of a write, as a full disk is."""
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert f"{tmp_path} takes no answers (File too large)" in done.stdout
    [path] = Spool(tmp_path).pending()
    read = Spool(tmp_path).read(path)
    assert read is not None
    assert [len(answer["payload"]) for answer in read.answers] == [60_000]
    assert (read.attempts, read.damaged) == ([{"endpoint": "status"}], [])  # no half line before the next one


texts = st.text(max_size=20)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(texts.filter(lambda name: name not in ("kind", "endpoint", "payload")), texts, max_size=3),
        max_size=5,
    ),
    st.data(),
)
def test_cut_off_anywhere_it_reads_what_is_whole(tmp_path: Path, rows: list[dict[str, str]], data: Any) -> None:
    spool = Spool(tmp_path)
    ends = []
    with spool.open(cycle()) as writer:
        [path] = spool.files()
        for row in rows:
            writer.answer(Thing(**{"endpoint": "status", "payload": "[]", **row}))
            ends.append(path.stat().st_size - 1)  # less the end of the line, which need not be there
        writer.end(END)
    whole = path.read_bytes()
    cut = data.draw(st.integers(whole.index(b"\n") + 1, len(whole)))
    path.write_bytes(whole[:cut])
    read = spool.read(path)
    assert read is not None
    complete = sum(end <= cut for end in ends)
    assert read.answers == [{"endpoint": "status", "payload": "[]", **row} for row in rows[:complete]]
    assert (read.end is None) == (cut < len(whole) - 1)
    assert "".join(read.damaged) in whole[:cut].decode(errors="replace")
    spool.remove(path)
