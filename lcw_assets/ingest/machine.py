"""The state of the machine at a moment of a cycle: a row of `ops.resources`."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import psutil


def process_started_at() -> datetime:
    return datetime.fromtimestamp(psutil.Process().create_time(), timezone.utc)


def measure_machine(moment: Literal["start", "end"], *, spooled: int, database: Path) -> dict[str, Any]:
    """Counters start when the machine boots: what a cycle used is the difference of two. Takes half a millisecond.

    What the system does not report is null: no cycle fails for a missing measurement.
    """
    measured = {
        "moment": moment,
        "measured_at": datetime.now(timezone.utc).isoformat(),
        "spool_depth": spooled,
        "database_bytes": database.stat().st_size if database.exists() else 0,
    }
    with suppress(OSError, psutil.Error):
        cpu, memory, network = psutil.cpu_times(), psutil.virtual_memory(), psutil.net_io_counters()
        process = psutil.Process()
        idle_s = cpu.idle + getattr(cpu, "iowait", 0.0)
        # On Linux a guest's time is counted in user and nice already.
        guest_s = getattr(cpu, "guest", 0.0) + getattr(cpu, "guest_nice", 0.0)
        measured |= {
            "cpu_busy_s": sum(cpu) - idle_s - guest_s,
            "cpu_idle_s": idle_s,
            "load_1m": psutil.getloadavg()[0],
            "memory_used": memory.total - memory.available,
            "memory_total": memory.total,
            "process_memory": process.memory_info().rss,
            "net_received": network.bytes_recv if network else None,
            "net_sent": network.bytes_sent if network else None,
            "connections": len(process.net_connections("inet")),
        }
    return measured
