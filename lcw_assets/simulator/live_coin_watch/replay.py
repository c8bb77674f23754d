"""Recorded responses in place of the simulated market."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lcw_assets.simulator.live_coin_watch.endpoints import ENDPOINTS
from lcw_assets.simulator.live_coin_watch.request import ApiError


class Replay:
    """A folder of JSON files, each named after its endpoint: `coins_list_2025-10-02.json` is what `coins/list` serves.

    Several files of one list endpoint are one list, in the order of their names; `offset` and `limit` cut it.
    An endpoint without a file is an error, except `status`. Raises `ValueError` for a folder without any.
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
            raise ValueError(f"{folder} has no recorded responses: expected files such as coins_list_2025.json")

    def document(self, endpoint: str, fields: dict[str, Any]) -> Any:
        if endpoint not in self._documents:
            raise ApiError(400, f"There is no recording of {endpoint}.")
        document = self._documents[endpoint]
        if isinstance(document, list):
            offset = int(fields.get("offset", 0))
            return document[offset : offset + int(fields.get("limit") or len(document))]
        return document
