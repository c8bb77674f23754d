"""Does every channel accept alerts?"""

from __future__ import annotations

from datetime import datetime

from lcw_assets.alerts.channels import read_channels, send_all
from lcw_assets.alerts.incidents import Alert
from lcw_assets.settings import DataSettings


def alert_test(settings: DataSettings, now: datetime) -> tuple[list[str], bool]:
    """Send a test to every channel. Returns a line for each, and whether all accepted it."""
    urls = settings.alert_urls.get_secret_value() if settings.alert_urls else None
    channels, wrong = read_channels(urls)
    if not urls:
        return ["LCW_ALERT_URLS is not set: alerts go to the log and to ops.alerts alone"], True
    alert = Alert(
        incident="test",
        kind="opened",
        severity="warning",
        raised_at=now,
        since=now,
        what="This is a test: nothing is wrong.",
        cause=None,
        run_id=None,
    )
    results = send_all(channels, alert, None)
    lines = [f"{name}: {'taken' if why is None else f'NOT TAKEN: {why}'}" for name, why in results.items()]
    lines += [f"{number}: NOT USED: {why}" for number, why in wrong.items()]
    return lines, not wrong and not any(results.values())
