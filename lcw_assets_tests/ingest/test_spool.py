"""The spool: nothing that was written is lost, whatever happens to the process or the disk."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lcw_assets.ingest.load import FetchEnd, Load, Missing
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_file import Spooled, SpoolError, SpoolFullError
from lcw_assets.warehouse.connection import OTHER_ERRORS, VALUE_ERRORS
from lcw_assets.warehouse.errors import UnstorableError

T = TypeVar("T")

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


class Thing:
    def __init__(self, **row: Any) -> None:
        self.row = row

    def to_row(self) -> dict[str, Any]:
        return self.row


def cycle(load_id: str = "20261120T120000.000Z-aaaaaaaa") -> Load:
    begun = Load.begun(load_id, "fetch_cycle", NOON, run_id="run", source="lcw", currency="USD")
    return replace(begun, start_s=0.5)


MISSING = Missing("exchanges/list", "timeout", "timed out")


def drain(spool: Spool, store: Callable[[Spooled], T], log: Callable[[str], None]) -> Iterator[T]:
    return spool.drain(store, log, value_errors=VALUE_ERRORS, other_errors=OTHER_ERRORS)


END = FetchEnd(NOON, 1.5, [MISSING])


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with spool.open(cycle()) as writer:
        writer.attempt(Thing(endpoint="status", latency_s=0.25))
        writer.response(Thing(endpoint="coins/list", payload='[{"name": "₿ \n \\u20bf"}]'))
        writer.refused(Thing(endpoint="overview", payload="<html>"), "not JSON")
        writer.end(END)
    [path] = spool.pending()
    read = spool.read(path)
    assert read is not None
    assert (read.load, read.end, read.damaged) == (cycle(), END, [])
    assert read.attempts == [{"endpoint": "status", "latency_s": 0.25}]
    assert read.responses == [{"endpoint": "coins/list", "payload": '[{"name": "₿ \n \\u20bf"}]'}]
    digest = hashlib.sha256(b"<html>").hexdigest()
    reason = f"not JSON (6 bytes, sha256 {digest})"
    assert read.refused == [{"endpoint": "overview", "payload": "<html>", "reason": reason}]
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
        writer.response(Thing(endpoint="status", payload="{}"))
        other = "import sys; from pathlib import Path; from lcw_assets.ingest.spool import Spool\n"
        other += "print(Spool(Path(sys.argv[1])).pending())"
        seen = subprocess.run([sys.executable, "-c", other, str(tmp_path)], capture_output=True, text=True, check=True)
        assert seen.stdout == "[]\n"
    assert len(spool.pending()) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from lcw_assets_tests.ingest.test_spool import *
with Spool(Path(sys.argv[1])).open(cycle()) as writer:
    writer.response(Thing(endpoint="status", payload="{}"))
    os.write(writer._fd, b'{"kind":"response","endpoint":"over')
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_cycle_waits_with_what_it_has(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    spool = Spool(tmp_path)
    [path] = spool.pending()
    read = spool.read(path)
    assert read is not None
    assert read.responses == [{"endpoint": "status", "payload": "{}"}]
    assert read.end is None
    assert read.damaged == ['{"kind":"response","endpoint":"over']


# As version 0.1 wrote it, and before it versions that had the payload within the line.
OLD = b"""\
{"kind":"cycle","cycle_id":"20261120T120000.000Z-aaaaaaaa","run_id":"run","scheduled_at":null,\
"clock_started_at":"2026-11-20T12:00:00+00:00","started_at":"2026-11-20T12:00:00+00:00","queue_s":0.0,"start_s":0.5,\
"late_tick":false,"source":"lcw","currency":"USD"}
{"kind":"answer","endpoint":"status","payload":"{\\"a\\": 1}"}
{"kind":"answer","endpoint":"overview","payload_bytes":10}
{"cap": 5}
{"kind":"end","ended_at":"2026-11-20T12:00:00+00:00","pull_s":1.5,"missing":["exchanges/list: timed out"]}
"""


def test_what_an_older_version_spooled_is_read(tmp_path: Path) -> None:
    path = tmp_path / f"{cycle().load_id}.jsonl"
    path.write_bytes(OLD)
    read = Spool(tmp_path).read(path)
    assert read is not None
    end = replace(END, missing=[replace(MISSING, code="unknown")])  # there was a text, and no code
    assert (read.load, read.end, read.damaged) == (cycle(), end, [])
    assert [row["payload"] for row in read.responses] == ['{"a": 1}', '{"cap": 5}']


@pytest.mark.parametrize(
    ("source", "kind"),
    [("lcw", "fetch_cycle"), ("simulator", "fetch_cycle"), ("kucoin-simulator", "token_registry_sync"),
     ("lcw-history", "backfill"), ("simulator-history", "backfill")],
)  # fmt: skip
def test_of_which_kind_an_older_file_is_its_source_tells(tmp_path: Path, source: str, kind: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(OLD.replace(b'"source":"lcw"', f'"source":"{source}"'.encode()))
    read = Spool(tmp_path).read(path)
    assert read
    assert read.load.kind == kind


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999", '"5"', "true"])
def test_a_length_that_is_none_costs_its_line(tmp_path: Path, length: str) -> None:
    with Spool(tmp_path).open(cycle()) as writer:
        writer.end(END)
    [path] = Spool(tmp_path).pending()
    line = f'{{"kind":"response","endpoint":"status","payload_bytes":{length}}}'.encode()
    path.write_bytes(path.read_bytes() + line + b"\t%08x\n{}\n" % zlib.crc32(b"{}", zlib.crc32(line)))
    read = Spool(tmp_path).read(path)
    assert read is not None
    assert (read.responses, read.end) == ([], END)
    assert "payload_bytes" in "".join(read.damaged)


def rewrite(path: Path, part: bytes, instead: bytes) -> None:
    """As if a version had written it that writes `instead` of a part of a line."""
    lines = path.read_bytes().split(b"\n")
    assert any(part in line for line in lines)
    for number, line in enumerate(lines):
        if part in line:
            head = line.rpartition(b"\t")[0].replace(part, instead)
            lines[number] = head + b"\t%08x" % zlib.crc32(head)
    path.write_bytes(b"\n".join(lines))


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        (b'"load_id":', b'"load":'),  # of another version: a field is missing and one is new
        (b'"started_at":"', b'"started_at":"about '),
        (b'"fetch_s":', b'"pulled_s":'),
        (b'"missing":', b'"lost":'),
        (b'"code":', b'"why":'),
    ],
)
def test_a_file_of_another_version_is_set_aside_and_blocks_nothing(tmp_path: Path, line: bytes, instead: bytes) -> None:
    spool, said = Spool(tmp_path), list[str]()
    for minute in ("1201", "1202"):
        with spool.open(cycle(f"20261120T{minute}00.000Z-aaaaaaaa")) as writer:
            writer.end(END)
    other, _ = spool.pending()
    rewrite(other, line, instead)
    stored = list(drain(spool, lambda spooled: spooled.load.load_id, said.append))
    assert stored == ["20261120T120200.000Z-aaaaaaaa"]
    assert "is of another version, or damaged" in said[0]
    assert [path.suffix for path in tmp_path.iterdir()] == [".unreadable"]


def test_a_payload_that_was_damaged_is_kept_as_it_is(tmp_path: Path) -> None:
    with Spool(tmp_path).open(cycle()) as writer:
        writer.response(Thing(endpoint="status", payload='{"paid": "for"}'))
        writer.end(END)
    [path] = Spool(tmp_path).pending()
    path.write_bytes(path.read_bytes().replace(b"paid", b"p\xffid"))
    read = Spool(tmp_path).read(path)
    assert read is not None
    assert (read.responses, read.end) == ([], END)
    assert [row["payload"] for row in read.quarantine()][1] == '{"p\ufffdid": "for"}'


@pytest.mark.parametrize("lost", [b'"payload_bytes"', b'"endpoint"', b'"reason"'])
def test_a_response_without_what_makes_it_one_is_a_damaged_line(tmp_path: Path, lost: bytes) -> None:
    with Spool(tmp_path).open(cycle()) as writer:
        writer.refused(Thing(endpoint="status", payload="{}"), "no status")
        writer.end(END)
    [path] = Spool(tmp_path).pending()
    path.write_bytes(path.read_bytes().replace(lost, b'"other"', 1))
    read = Spool(tmp_path).read(path)
    assert read is not None
    assert (read.refused, read.end) == ([], END)
    assert {row["endpoint"] for row in read.quarantine()} == {"spool"}
    assert b"no status" in "".join(row["payload"] for row in read.quarantine()).encode()


def test_what_cannot_be_stored_is_set_aside_and_reported_when_the_others_are(tmp_path: Path) -> None:
    spool, said, stored = Spool(tmp_path), list[str](), list[str]()
    for minute in ("1201", "1202", "1203"):
        with spool.open(cycle(f"20261120T{minute}00.000Z-aaaaaaaa")) as writer:
            writer.end(END)

    def store(spooled: Spooled) -> str:
        if "T1202" in spooled.load.load_id:
            raise TypeError("no such thing")
        return spooled.load.load_id[9:13]

    with pytest.raises(UnstorableError, match=r"T120200.000Z-aaaaaaaa cannot be stored \(TypeError: no such thing\)"):
        stored.extend(drain(spool, store, said.append))
    aside = tmp_path / "20261120T120200.000Z-aaaaaaaa.unreadable"
    assert list(tmp_path.iterdir()) == [aside]
    aside.rename(aside.with_suffix(".jsonl"))
    assert list(drain(spool, lambda spooled: spooled.load.load_id, said.append)) == ["20261120T120200.000Z-aaaaaaaa"]


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
        list(drain(spool, store, print))
    assert len(spool.pending()) == 1


def test_a_file_that_is_no_cycle_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "junk.jsonl").write_text("what is this\n")
    spool = Spool(tmp_path)
    [path] = spool.pending()
    with pytest.raises(ValueError, match=r"junk\.jsonl does not begin with a load"):
        spool.read(path)
    assert spool.set_aside(path).read_text() == "what is this\n"
    assert spool.pending() == []


def test_what_outlives_its_cycle_is_not_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with spool.open(cycle()) as writer:
        writer.end(END)
    writer.response(Thing(endpoint="afterwards", payload="{}"))
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
    other = tmp_path / f"{cycle().load_id}.new"
    other.touch()
    os.utime(other, (time.time(),) * 2)
    with pytest.raises(SpoolError, match="takes no responses"), Spool(tmp_path).open(cycle()):
        pass


def test_a_folder_that_cannot_be_written_to_is_named_before_any_call(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match=r"/proc/lcw/spool takes no responses .*set LCW_DATA_DIR to"):
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
from lcw_assets_tests.ingest.test_spool import *
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
spool = Spool(Path(sys.argv[1]))
with spool.open(cycle()) as writer:
    writer.response(Thing(endpoint="coins/list", payload="x" * 60_000))
    try:
        writer.response(Thing(endpoint="coins/list", payload="y" * 60_000))
    except SpoolError as error:
        print(error)
    writer.attempt(Thing(endpoint="status"))
"""


def test_a_disk_that_takes_no_more_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    """A limit on the size of files is refused by the kernel in the middle of a write, as a full disk is."""
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert f"{tmp_path} takes no responses (File too large)" in done.stdout
    [path] = Spool(tmp_path).pending()
    read = Spool(tmp_path).read(path)
    assert read is not None
    assert [len(response["payload"]) for response in read.responses] == [60_000]
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
            writer.response(Thing(**{"endpoint": "status", "payload": "[]", **row}))
            ends.append(path.stat().st_size - 1)  # less the end of the line, which need not be there
        writer.end(END)
    whole = path.read_bytes()
    cut = data.draw(st.integers(whole.index(b"\n") + 1, len(whole)))
    path.write_bytes(whole[:cut])
    read = spool.read(path)
    assert read is not None
    complete = sum(end <= cut for end in ends)
    assert read.responses == [{"endpoint": "status", "payload": "[]", **row} for row in rows[:complete]]
    assert (read.end is None) == (cut < len(whole) - 1)
    assert all(line in whole[:cut].decode(errors="replace") for line in read.damaged)
    spool.remove(path)


# What a file says is what was written, and no file stands in the way of those behind it.


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_flipped_byte_is_never_taken_for_what_was_written(tmp_path: Path, place: int, flip: int) -> None:
    """Whatever is read is as it was written, or is not read at all; and what was damaged is kept."""
    spool = Spool(tmp_path)
    with spool.open(cycle()) as writer:
        writer.plan([("status", {})])
        writer.attempt(Thing(endpoint="status", latency_s=0.25))
        writer.response(Thing(endpoint="coins/list", request={"offset": 100}, payload='[{"code":"BTC","rate":95000}]'))
        writer.end(END)
    path = tmp_path / f"{cycle().load_id}.jsonl"
    whole = path.read_bytes()
    original = spool.read(path)
    place %= len(whole)
    path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
    try:
        read = spool.read(path)
    except ValueError:
        read = None  # the first line: the file is set aside
    if read is not None:
        assert original is not None
        assert read.load == original.load
        assert read.end in (original.end, None)
        for part in ("planned", "attempts", "responses", "refused"):
            assert getattr(read, part) in (getattr(original, part), []), part
        lost = [part for part in ("planned", "attempts", "responses") if getattr(read, part) != getattr(original, part)]
        assert read.damaged or not (lost or read.end is None)
    path.unlink()


def wait_a_minute(folder: Path) -> None:
    """Of tries that count, one is at least half a minute before the other."""
    for tries in folder.glob("*.tries"):
        os.utime(tries, (time.time() - 60,) * 2)


def test_a_file_that_failed_three_times_is_set_aside_and_blocks_nothing_any_more(tmp_path: Path) -> None:
    spool, said = Spool(tmp_path), list[str]()
    for minute in ("1201", "1202"):
        with spool.open(cycle(f"20261120T{minute}00.000Z-aaaaaaaa")) as writer:
            writer.end(END)

    def store(spooled: Spooled) -> str:
        if "T1201" in spooled.load.load_id:
            raise MemoryError
        return spooled.load.load_id[9:13]

    for _ in range(3):
        with pytest.raises(MemoryError):
            list(drain(spool, store, said.append))
        assert len(spool.pending()) == 2
        wait_a_minute(tmp_path)
    stored: list[str] = []
    with pytest.raises(
        UnstorableError, match=r"T120100.* cannot be stored \(3 tries to store it failed, or ended with"
    ):
        stored.extend(drain(spool, store, said.append))
    assert stored == ["1202"]
    assert [path.name for path in tmp_path.iterdir()] == ["20261120T120100.000Z-aaaaaaaa.unreadable"]


STORING = """
import os, signal, sys
from pathlib import Path
from lcw_assets.ingest.spool import Spool
def store(spooled):
    print(spooled.load.load_id[9:13], flush=True)
    if "T1201" in spooled.load.load_id:
        os.kill(os.getpid(), signal.SIGKILL)
for _ in Spool(Path(sys.argv[1])).drain(store, print):
    pass
"""


def test_a_file_that_takes_its_process_with_it_does_so_three_times_at_most(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for minute in ("1201", "1202"):
        with spool.open(cycle(f"20261120T{minute}00.000Z-aaaaaaaa")) as writer:
            writer.end(END)

    def run() -> str:
        command = [sys.executable, "-c", STORING, str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True).stdout

    for _ in range(3):
        assert run() == "1201\n"
        wait_a_minute(tmp_path)
    assert run() == "1202\n"
    assert [path.suffix for path in tmp_path.iterdir()] == [".unreadable"]


def test_processes_that_are_killed_within_a_moment_say_nothing_of_the_file(tmp_path: Path) -> None:
    """Somebody kills what he can: the file is as good as before."""
    spool = Spool(tmp_path)
    with spool.open(cycle("20261120T120100.000Z-aaaaaaaa")) as writer:
        writer.end(END)
    for _ in range(5):
        subprocess.run([sys.executable, "-c", STORING, str(tmp_path)], capture_output=True)
    assert list(drain(spool, lambda spooled: spooled.load.load_id, print)) == ["20261120T120100.000Z-aaaaaaaa"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [duckdb.IOException("disk full"), OSError(28, "No space left"), KeyboardInterrupt()])
def test_a_full_disk_or_a_stop_is_no_try(tmp_path: Path, error: BaseException) -> None:
    spool = Spool(tmp_path)
    with spool.open(cycle()) as writer:
        writer.end(END)

    def store(_: Spooled) -> None:
        raise error

    for _ in range(5):
        with pytest.raises(type(error)):
            list(drain(spool, store, print))
        wait_a_minute(tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".jsonl"]
    assert list(drain(spool, lambda spooled: spooled.load.load_id, print)) == [cycle().load_id]


def test_a_folder_among_the_files_is_named_and_stands_in_nobodys_way(tmp_path: Path) -> None:
    spool, said = Spool(tmp_path), list[str]()
    (tmp_path / "0.jsonl").mkdir()
    os.mkfifo(tmp_path / "1.jsonl")
    (tmp_path / "2.jsonl").symlink_to(tmp_path / "nothing")
    with spool.open(cycle()) as writer:
        writer.end(END)
    assert list(drain(spool, lambda spooled: spooled.load.load_id, said.append)) == [cycle().load_id]
    assert said == [f"{tmp_path / '0.jsonl'} is a folder and no spooled cycle: move it away"]


def test_what_is_refused_is_kept_once_a_body_as_an_excerpt(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    page = "<html>" + "x" * 5_000_000
    with spool.open(cycle()) as writer:
        for endpoint in ("overview", "credits", "overview"):
            writer.refused(Thing(endpoint=endpoint, payload=page), "not JSON")
        writer.refused(Thing(endpoint="overview", payload="<html>"), "not JSON")
        writer.end(END)
    [path] = spool.pending()
    assert path.stat().st_size < 5_000
    read = spool.read(path)
    assert read is not None
    assert [len(row["payload"]) for row in read.refused] == [2_000, 6]
    assert read.refused[0]["reason"].startswith("not JSON (5,000,006 bytes, sha256 ")


def test_a_load_spools_no_more_than_one_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcw_assets.ingest.spool.CEILING", 1_000)
    with Spool(tmp_path).open(cycle()) as writer:
        writer.response(Thing(endpoint="a", payload="x" * 500))
        with pytest.raises(SpoolFullError, match="takes no more: a load may spool 1,000 bytes"):
            writer.response(Thing(endpoint="b", payload="y" * 500))
        writer.attempt(Thing(endpoint="b"))
        writer.end(END)
    read = Spool(tmp_path).read(next(tmp_path.glob("*.jsonl")))
    assert read is not None
    assert ([row["endpoint"] for row in read.responses], len(read.attempts), read.end) == (["a"], 1, END)
