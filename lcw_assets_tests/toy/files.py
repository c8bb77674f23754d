"""A complete toy source: the files of `docs/extending.md`, under 100 lines together, by their place in the package."""

from __future__ import annotations

SPEC = '''
"""Toy Exchange, as a source."""

from lcw_assets.coordination.rate_limit import Rate
from lcw_assets.sources.spec import Source

SOURCE = Source(
    name="toy",
    title="Toy Exchange",
    variables="TOY",
    base_url="https://api.toy.example",
    needs_key=False,
    rate=Rate(per_s=50, burst=100),
    simulator="toy",
    client="lcw_assets.sources.toy.client:Toy",
    watch=("toy.prices", "observed_at"),
)
'''

CLIENT = '''
"""Toy Exchange: one endpoint, with the price of each coin that is asked for."""

from pydantic import BaseModel, ConfigDict, TypeAdapter

from lcw_assets.sources.client import SourceClient
from lcw_assets.sources.toy.spec import SOURCE


class Price(BaseModel):
    model_config = ConfigDict(strict=True)

    code: str
    price: float


read_prices = TypeAdapter(list[Price]).validate_json


class Toy(SourceClient):
    source = SOURCE
'''

SIMULATOR = '''
"""Toy Exchange, simulated."""

from lcw_assets.simulator.provider import Provider, Response, to_json
from lcw_assets.simulator.venue import Venue


class Service:
    def __init__(self, market):
        self.venue = Venue(market, "toy", 50)

    def respond(self, request, fault):
        coins = list(self.venue.coins(request.minute))[int(request.path[-1]) * 10 :][:10]
        prices = [{"code": coin.ticker, "price": self.venue.price(coin, request.minute)} for coin in coins]
        return Response(200, to_json(prices))

    def error(self, status):
        return Response(status, to_json({"error": status}), usable=False)


PROVIDER = Provider(name="toy", title="Toy Exchange", setting="TOY_BASE_URL", service=Service)
'''

TABLES = """
CREATE SCHEMA toy;

-- The latest price of each coin.
CREATE TABLE toy.prices (
    code        VARCHAR NOT NULL,      -- the coin
    price       DOUBLE NOT NULL,       -- in USD
    observed_at TIMESTAMPTZ NOT NULL,  -- when the response came
    load_id     VARCHAR NOT NULL,      -- the load that brought it
);
"""

DEFINITIONS = '''
"""Prices of the Toy Exchange, as Dagster sees them."""

from lcw_assets.ingest.declaration import LoadDeclaration, Table
from lcw_assets.sources.toy.spec import SOURCE

prices = LoadDeclaration(
    job="toy_prices",
    step="toy",
    source=SOURCE,
    description="Get the price of each coin from the Toy Exchange.",
    hooks="lcw_assets.defs.toy.load:ToyHooks",
    raw={"toy_prices": "Prices of the Toy Exchange, as they came."},
    tables=(
        Table(
            key="toy/prices",
            description="The latest price of each coin at the Toy Exchange.",
            deps=("raw/toy_prices",),
            unique=("code",),
            not_negative=("price",),
            fresh_by="observed_at",
        ),
    ),
)
'''

LOAD = '''
"""What only the prices of the Toy Exchange do: five pages, into one table."""

from lcw_assets.ingest.hooks import Hooks, Outcome
from lcw_assets.ingest.load import PlannedCall
from lcw_assets.sources.toy.client import read_prices
from lcw_assets.warehouse.tables import append


class ToyHooks(Hooks):
    def plan(self, clock):
        return [PlannedCall("toy_prices", f"page{page}", {}, f"page {page}") for page in range(5)]

    def store(self, db, spooled):
        rows = [
            {**price.model_dump(), "observed_at": response["received_at"], "load_id": spooled.load.load_id}
            for response in spooled.answers
            for price in read_prices(response["payload"])
        ]
        db.execute("DELETE FROM toy.prices WHERE code IN (SELECT unnest(?))", [[row["code"] for row in rows]])
        append(db, "toy.prices", rows)
        return Outcome(seen=len(rows), changed=len(rows))
'''

FILES = {
    "sources/toy/__init__.py": "",
    "sources/toy/spec.py": SPEC,
    "sources/toy/client.py": CLIENT,
    "simulator/toy.py": SIMULATOR,
    "warehouse/sql/099_toy.sql": TABLES,
    "defs/toy/__init__.py": "",
    "defs/toy/definitions.py": DEFINITIONS,
    "defs/toy/load.py": LOAD,
}
