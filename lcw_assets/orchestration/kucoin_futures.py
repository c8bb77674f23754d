"""KuCoin Futures as a Dagster resource; the embedded simulator where there is no key."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from lcw_assets.settings import Settings
from lcw_assets.settings.environment import ca_bundle

if TYPE_CHECKING:
    from lcw_assets.sources.kucoin_futures.client import KuCoinFutures
    from lcw_assets.transport.call import Sink
    from lcw_assets.transport.deadline import Deadline


class KuCoinFuturesResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Connects to KuCoin. It needs no key of its own: whether data is real is decided by LCW_API_KEY for all of it."""

    @contextmanager
    def connect(self, settings: Settings, *, sink: "Sink", deadline: "Deadline") -> "Iterator[KuCoinFutures]":
        """The API for one sync. What it answers goes to `sink` before anybody else sees it."""
        from lcw_assets.coordination.rate_limit import RateLimit
        from lcw_assets.sources.kucoin_futures.client import BASE_URL, RATE, KuCoinFutures
        from lcw_assets.transport.client import Client

        with ExitStack() as stack:
            address = settings.kucoin_base_url or BASE_URL
            if settings.simulated and not settings.kucoin_base_url:
                from lcw_assets.simulator.server import Simulator

                address = stack.enter_context(Simulator().serve())
            rate_limit = RateLimit(settings.registry_rate_limit_file, RATE)
            client = Client(
                address,
                source=settings.registry_source,
                sink=sink,
                ca_bundle=ca_bundle(),
                rate_limit=rate_limit,
            )
            stack.callback(client.close)
            yield KuCoinFutures(client, deadline=deadline, simulated=settings.simulated, rate_limit=rate_limit)
