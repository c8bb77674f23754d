"""Live Coin Watch as a Dagster resource; the embedded simulator where there is no key."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from lcw_assets.settings import Settings
from lcw_assets.settings.environment import ca_bundle

if TYPE_CHECKING:
    from lcw_assets.sources.lcw.client import LiveCoinWatch
    from lcw_assets.transport.call import Sink
    from lcw_assets.transport.deadline import Deadline
    from lcw_assets.transport.tuning import Tuning


class LiveCoinWatchResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Connects to Live Coin Watch. All it needs comes from the environment, so the key is in no run config."""

    @contextmanager
    def connect(
        self, settings: Settings, *, sink: "Sink", deadline: "Deadline", tuning: "Tuning", first: bool = True
    ) -> "Iterator[LiveCoinWatch]":
        """The API for one pull. What it answers goes to `sink` before anybody else sees it.

        `first` is the minute cycle; who is not leaves it a part of the rate, and keeps facts under a name of its own.
        """
        # Imported here: code servers load definitions all day and never call.
        from lcw_assets.coordination.rate_limit import Rate, RateLimit
        from lcw_assets.sources.lcw.client import BASE_URL, LiveCoinWatch
        from lcw_assets.transport.client import Client

        with ExitStack() as stack:
            address = settings.base_url or BASE_URL
            if settings.simulated and not settings.base_url:
                from lcw_assets.simulator.server import Simulator

                # Twice LCW's free credits: with those, a cycle a minute would warn for half of every day.
                address = stack.enter_context(Simulator(credits_per_day=20_000).serve())
            key = settings.api_key.get_secret_value() if settings.api_key else None
            rate = Rate(per_s=settings.calls_per_s, burst=settings.burst, reserve=settings.burst // 2)
            client = Client(
                address,
                source=settings.source if first else settings.history_source,
                sink=sink,
                headers={"x-api-key": key} if key else {},
                secret=key,
                ca_bundle=ca_bundle(),
                tuning=tuning,
                rate_limit=RateLimit(settings.rate_limit_file, rate, first=first),
            )
            stack.callback(client.close)
            yield LiveCoinWatch(client, deadline=deadline, currency=settings.currency, simulated=settings.simulated)
