"""Recorded answers in place of the simulated market."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from lcw_assets.simulator.api import ENDPOINTS
from lcw_assets.simulator.question import ApiError


class Replay:
    """A folder of JSON files, each named after its endpoint: `coins_list_2025-10-02.json` answers `coins/list`.

    Several files of one list endpoint are one list, in the order of their names; `offset` and `limit` cut it.
    What has no file is answered with an error, `status` excepted. Raises `ValueError` for a folder without any.
    """

    def __init__(self, folder: Path) -> None:
        self._documents: dict[str, Any] = {"status": {}}
        by_length = sorted(ENDPOINTS, key=len, reverse=True)
        for file in sorted(folder.glob("*.json")):
            endpoint = next((name for name in by_length if file.name.startswith(name.replace("/", "_"))), None)
            if endpoint is None:
                raise ValueError(f"{file} is named after no endpoint: expected a name such as coins_list_2025.json")
            document = json.loads(file.read_text())
            before = self._documents.get(endpoint)
            self._documents[endpoint] = before + document if isinstance(before, list) else document
        if len(self._documents) == 1:
            raise ValueError(f"{folder} has no recorded answers: expected files such as coins_list_2025.json")

    def answer(self, endpoint: str, body: bytes, _now: datetime) -> Any:
        if endpoint not in self._documents:
            raise ApiError(400, f"There is no recording of {endpoint}.")
        document = self._documents[endpoint]
        request = json.loads(body) if body.strip() else {}
        if isinstance(document, list):
            offset = int(request.get("offset", 0))
            return document[offset : offset + int(request.get("limit") or len(document))]
        return document
