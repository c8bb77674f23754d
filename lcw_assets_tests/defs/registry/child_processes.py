"""Stores what waits in a folder, in children that are killed: `python -m` this module, and the folder."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb  # noqa: F401 - imported before forking

from lcw_assets_tests.child_processes import raise_children
from lcw_assets_tests.defs.registry.syncs import Registry

if __name__ == "__main__":
    raise_children(Registry(Path(sys.argv[1])).store_and_deliver)
