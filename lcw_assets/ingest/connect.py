"""A source's client, connected as the settings say: the one way in which any load reaches an API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from lcw_assets.coordination.rate_limit import RateLimit
from lcw_assets.settings import Settings
from lcw_assets.settings.environment import ca_bundle
from lcw_assets.sources.spec import Source
from lcw_assets.transport.call import Sink
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.in_flight import Timeouts
from lcw_assets.transport.tuning import Tuning


class SourceOffError(ValueError):
    """The source may not be called. One line that says why, and what to do."""


@contextmanager
def connect(
    source: Source,
    settings: Settings,
    *,
    sink: Sink,
    deadline: Deadline,
    tuning: Tuning | None = None,
    first: bool = True,
) -> Iterator[Any]:
    """The source's client, for one load. Every response goes to `sink` before any other code sees it.

    `first` is true for loads of every minute. Other loads (backfills) leave a part of the rate limit unused for them,
    and store their facts under a source name of their own. Raises `SourceOffError`, and `SettingsError` where a
    variable of the source is wrong.
    """
    own = settings.of(source)
    if own.off:
        raise SourceOffError(own.off)
    with ExitStack() as stack:
        address = own.base_url or source.base_url
        if own.simulated and not own.base_url:
            # Imported here: the simulator takes longer to import than all else, and a live load does not need it.
            from lcw_assets.simulator.server import Simulator

            simulator = Simulator(**source.simulator_options)
            address = simulator.address_of(source.simulator, stack.enter_context(simulator.serve()))
        key = own.key.get_secret_value() if own.key else None
        client = Client(
            address,
            source=own.name if first else own.history_name,
            sink=sink,
            headers={str(source.key_header): key} if key else {},
            secret=key,
            ca_bundle=ca_bundle(),
            tuning=tuning,
            rate_limit=RateLimit(own.rate_limit_file, own.rate, first=first),
            timeouts=Timeouts(attempt_s=source.call_s),
        )
        stack.callback(client.close)
        wanted = {name: getattr(settings, name) for name in source.client_settings}
        yield source.client_class()(client, deadline=deadline, simulated=own.simulated, **wanted)
