"""From contracts to the texts that DuckDB unpacks: the values that move, and a fingerprint of all others."""

from __future__ import annotations

import marshal
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from operator import itemgetter

from pydantic_core import to_json

from lcw_assets.sources.kucoin_futures.records import Contract

# Values that move from minute to minute. They have no events; registry.token_snapshots has some of them.
MOVES = (
    "funding_fee_rate", "predicted_funding_fee_rate", "next_funding_rate_time", "open_interest", "turnover_of_24h",
    "volume_of_24h", "mark_price", "index_price", "last_trade_price", "low_price", "high_price", "price_chg_pct",
    "price_chg", "buy_limit", "sell_limit",
)  # fmt: skip
# Values that have events. They rarely change. (`exchange_status` is not one: `status`, which follows from it, has its
# own events.)
TERMS = tuple(name for name in Contract.model_fields if name not in ("symbol", "exchange_status", *MOVES))

# Part of every fingerprint. Increase it when the meaning of a field changes, so that all contracts are compared once.
_VERSION = 1

# DuckDB unpacks texts of this many records three times as fast as one text with all of them (measured, 5,000).
_CHUNK = 500

# The columns of `moves_json`.
LOADED = ("symbol", *MOVES, "unknown_fields", "fingerprint")

_moving = itemgetter("symbol", *MOVES)
_lasting = itemgetter("exchange_status", *TERMS)


@dataclass(frozen=True)
class KnownFields:
    """The fields that any contract of a response has. KuCoin has renamed or dropped a field that none has, which is no
    change of a contract: its last values are kept, and it makes no event.
    """

    names: frozenset[str]

    @classmethod
    def by(cls, records: Sequence[Contract]) -> KnownFields:
        fields = ("exchange_status", *TERMS, *MOVES)
        return cls(
            frozenset(name for name in fields if any(vars(record)[name] not in (None, "") for record in records))
        )

    @cached_property
    def terms(self) -> Sequence[str]:
        return [name for name in TERMS if name in self.names]

    @cached_property
    def moves(self) -> frozenset[str]:
        return self.names.intersection(MOVES)

    @cached_property
    def lost_fields(self) -> Sequence[str]:
        return [name for name in ("exchange_status", *TERMS, *MOVES) if name not in self.names]

    @cached_property
    def salt(self) -> bytes:
        """In every fingerprint: when a field comes back, all contracts are compared, also those without it."""
        return blake2b(f"{_VERSION} {' '.join(self.terms)}".encode(), digest_size=blake2b.SALT_SIZE).digest()


def moves_json(records: Sequence[Contract], fields: KnownFields) -> list[str]:
    """The values that move, column by column, and the fingerprint of all others.

    A fingerprint takes 3 microseconds, and comparing fifty columns 20: so only contracts whose fingerprint differs are
    compared. One that differs for another reason (another version of Python or of this project) costs a comparison,
    and makes no event.
    """
    chunks = (records[first : first + _CHUNK] for first in range(0, len(records), _CHUNK))
    rows = ([(*_moving(vars(one)), _unknown_json(one), fingerprint(one, fields)) for one in chunk] for chunk in chunks)
    return [to_json(dict(zip(LOADED, zip(*chunk, strict=True), strict=True))).decode() for chunk in rows]


def fingerprint(record: Contract, fields: KnownFields) -> str:
    """Of all that is a term, and of the status."""
    lasting = marshal.dumps(_lasting(vars(record)), 2)
    return blake2b(lasting, digest_size=8, salt=fields.salt).hexdigest()


def _unknown_json(record: Contract) -> str | None:
    """Stored with the values that move, because it may move: then every fingerprint would differ every minute."""
    # Infinity becomes null: DuckDB does not accept it as JSON, and would refuse the whole response.
    return to_json(record.model_extra, inf_nan_mode="null").decode() if record.model_extra else None


def unknown(records: Sequence[Contract]) -> list[str]:
    """The names of fields that the model does not know."""
    return sorted({name for record in records for name in record.model_extra or ()})
