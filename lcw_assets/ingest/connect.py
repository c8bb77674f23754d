"""A source's client, connected as the settings say: the one way in which any load reaches an API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from lcw_assets.coordination.rate_limit import RateLimit
from lcw_assets.ingest.load import PlannedCall
from lcw_assets.settings import Settings
from lcw_assets.settings.environment import ca_bundle
from lcw_assets.settings.sources import SourceSettings
from lcw_assets.sources.spec import Group, Source
from lcw_assets.transport.cache import ResponseCache
from lcw_assets.transport.call import Sink
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.in_flight import Timeouts
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.transport.tuning import Tuning

# Of several sources: the others need not wait for long until one that fails is given up.
_ONCE_MORE = RetryPolicy(attempts=2)


class SourceOffError(ValueError):
    """The source may not be called. One line that says why, and what to do."""


@contextmanager
def connect_all(
    group: Group, calls: Iterable[PlannedCall], settings: Settings, **given: Any
) -> Iterator[dict[str, Any]]:
    """The clients of a group's sources for these calls, by name; what is simulated is served by one simulator."""
    with ExitStack() as stack:
        addresses: list[Callable[[Source], str]] = []

        def address(source: Source) -> str:
            if not addresses:
                addresses.append(stack.enter_context(_simulator(*group.sources.values())))
            return addresses[0](source)

        clients: dict[str, Any] = {}
        for call in calls:
            if call.source not in clients:
                source = group.sources[call.source]
                clients[call.source] = stack.enter_context(
                    connect(source, settings, simulator=address, retry=_ONCE_MORE, **given)
                )
            for name, value in call.client.items():
                setattr(clients[call.source], name, value)
        yield clients


@contextmanager
def connect(
    source: Source,
    settings: Settings,
    *,
    sink: Sink,
    deadline: Deadline,
    tuning: Tuning | None = None,
    first: bool = True,
    simulator: Callable[[Source], str] | None = None,
    cache: ResponseCache | None = None,
    retry: RetryPolicy | None = None,
) -> Iterator[Any]:
    """The source's client, for one load. Every response goes to `sink` before any other code sees it.

    `first` is true for loads of every minute. Other loads (backfills) leave a part of the rate limit unused for them,
    and store their facts under a source name of their own. With a `cache`, a response may serve for the `lifetime_s` of
    the client, and what has not changed is not sent again. Raises `SourceOffError`, and `SettingsError` where a
    variable of the source is wrong.
    """
    own = settings.of(source)
    if own.off:
        raise SourceOffError(own.off)
    with ExitStack() as stack:
        address = own.base_url or source.base_url
        if _is_embedded(own):
            address = (simulator or stack.enter_context(_simulator(source)))(source)
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
            cache=cache,
            retry=retry,
        )
        stack.callback(client.close)
        wanted = {name: getattr(settings, name) for name in source.client_settings}
        yield source.client_class()(client, deadline=deadline, simulated=own.simulated, **wanted)


def _is_embedded(own: SourceSettings) -> bool:
    return own.simulated and not own.base_url


@contextmanager
def _simulator(*sources: Source) -> Iterator[Callable[[Source], str]]:
    """Serves these sources; gives the address of each."""
    # Imported here: the simulator takes longer to import than all else, and a live load does not need it.
    from lcw_assets.simulator.server import Simulator

    options = {name: value for source in sources for name, value in source.simulator_options.items()}
    simulator = Simulator(**options)
    with simulator.serve() as server:
        yield lambda source: simulator.address_of(source.simulator, server)
