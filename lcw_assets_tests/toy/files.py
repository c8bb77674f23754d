"""A complete toy source: the files that `docs/extending.md` prints, by their place in the package."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
_BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)

FILES = dict(_BLOCK.findall(_PAGE.read_text()))
FILES |= {f"{folder}/toy/__init__.py": "" for folder in ("sources", "defs")}
