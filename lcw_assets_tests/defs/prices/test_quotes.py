"""From a ticker to a usable price, or to the reason why there is none. Recorded tickers, where one is known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.defs.prices.conversion import Rate
from lcw_assets.defs.prices.quotes import Past, Quote, make_quote, still, to_usd
from lcw_assets.defs.prices.refusal import Refusal
from lcw_assets_tests.defs.prices.venues import AT, Sent


def quote(bid: float | None, ask: float | None, last: float | None, currency: str = "USD", **more: Any) -> Quote:
    ticker = Sent("NEAR/USD", bid, ask, last, **more)
    return make_quote(ticker, source="bitstamp", coin="NEAR", currency=currency, received_at=AT, at=AT)


def reason(found: Quote) -> tuple[str, dict[str, Any]]:
    assert found.usd is None
    assert found.refusal is not None
    return found.refusal.code, dict(found.refusal.fields)


def test_the_mid_of_a_tight_book_counts_and_not_a_stale_last_trade() -> None:
    near = quote(1.84541, 1.84797, 1.84115)  # recorded at Bitstamp
    assert near.usd == pytest.approx(1.84669)
    assert near.basis == "mid"


def test_in_a_wide_book_the_last_trade_counts_within_the_book() -> None:
    assert [(found.usd, found.basis) for found in (quote(100, 102, last) for last in (99, 101.5, 103))] == [
        (100, "clipped_last"),
        (101.5, "clipped_last"),
        (102, "clipped_last"),
    ]
    assert quote(100, 102, None).usd == 101


def test_without_a_book_the_last_trade_is_all_there_is() -> None:
    assert (quote(None, None, 65_237).usd, quote(None, None, 65_237).basis) == (65_237, "last")


@pytest.mark.parametrize(
    ("ticker", "code", "fields"),
    [
        ((0.0, 0.0, 0.0), "zero_price", {"field": "bid", "value": 0.0}),  # Binance's delisted DAIUSDT
        ((0.00447, 0.034, 0.0), "zero_price", {"field": "last", "value": 0.0}),  # Kraken's cancel_only RHEAUSD
        ((-1.0, 1.0, 1.0), "zero_price", {"field": "bid", "value": -1.0}),
        ((None, None, None), "no_price", {}),  # Coinbase's product with {}
        ((float("nan"), 1.0, 1.0), "not_a_number", {"field": "bid", "value": "nan"}),
        ((1.0, float("inf"), 1.0), "not_a_number", {"field": "ask", "value": "inf"}),
        ((1.0, None, 1.0), "half_book", {"missing": "ask"}),
        ((None, 1.0, 1.0), "half_book", {"missing": "bid"}),
        ((1.01, 1.0, 1.0), "crossed_book", {"bid": 1.01, "ask": 1.0}),  # OKX before a market opens
        ((1.0, 1.5, 1.2), "absurd_book", {"spread": 0.4, "limit": 0.1}),
        ((100.0, 100.0, 106.0), "last_outside_book", {"last": 106.0, "mid": 100.0, "limit": 0.05}),
    ],
)
def test_dead_prices_are_known_as_such(
    ticker: tuple[float | None, float | None, float | None], code: str, fields: dict[str, Any]
) -> None:
    assert reason(quote(*ticker)) == (code, fields)


def test_age_is_by_the_sources_time_or_by_ours_and_each_kind_has_its_limit() -> None:
    old = AT - timedelta(seconds=200)
    assert reason(quote(1, 1, 1, source_time=old, time_kind="answer"))[1] == {
        "age_s": 200.0, "limit_s": 120.0, "time_kind": "answer",
    }  # fmt: skip
    assert quote(1, 1, 1, source_time=old, time_kind="trade").usd == 1
    waited = make_quote(Sent("X", 1, 1, 1), source="kraken", coin="X", currency="USD", received_at=old, at=AT)
    assert (reason(waited)[0], waited.age_s) == ("too_old", 200.0)


def test_a_clock_may_be_a_little_ahead_and_no_more() -> None:
    assert quote(1, 1, 1, source_time=AT + timedelta(seconds=5), time_kind="trade").usd == 1
    assert reason(quote(1, 1, 1, source_time=AT + timedelta(seconds=6), time_kind="trade")) == (
        "from_the_future",
        {"ahead_s": 6.0, "limit_s": 5.0},
    )


def test_a_price_in_usdt_has_none_in_usd_before_it_is_converted_and_then_it_says_by_what() -> None:
    near = quote(1.848, 1.848, 1.848, currency="USDT")
    assert (near.price, near.usd, near.refusal) == (1.848, None, None)
    rate = Rate("USDT", 0.5, AT - timedelta(seconds=30), ("kraken",), None)
    converted = to_usd(near, {"USDT": rate}, AT)
    assert (converted.usd, converted.rate, converted.rate_age_s, converted.converted) == (0.924, 0.5, 30.0, True)
    refusal = Refusal("no_agreement", {"agree": 2})
    assert to_usd(near, {"USDT": refusal}, AT).refusal == refusal
    assert reason(to_usd(near, {}, AT)) == ("no_conversion", {"currency": "USDT"})


def test_a_price_that_stands_still_while_the_others_move_is_refused() -> None:
    now = quote(10, 10, 10)
    stands, moving = Past(9, 10.0, 10.0).after(10.0), [Past(10, 10.0, 10.09), Past(10, 9.91, 10.0)]
    assert reason(still(now, stands, moving))[0] == "stands_still"
    assert still(now, Past(9, 10.0, 10.0).after(10.001), moving) == now
    assert still(now, Past(9, 10.0, 10.0), moving) == now, "too few rounds to say so"
    assert still(now, stands, [Past(9, 10.0, 10.09)] * 5) == now, "too few rounds of the others"
    assert still(now, stands, [stands] * 5) == now, "nobody moves"
    assert still(now, stands, moving[:1]) == now, "one other may be the wrong one"


PRICES = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, -0.0, 1.0, 1e-9])


@given(PRICES, PRICES, PRICES)
def test_a_quote_has_a_positive_price_or_a_reason_and_never_both(
    bid: float | None, ask: float | None, last: float | None
) -> None:
    found = quote(bid, ask, last)
    assert (found.usd is None) == (found.refusal is not None)
    assert found.usd is None or 0 < found.usd < float("inf")
    if found.usd is not None and bid is not None and ask is not None:
        assert bid <= found.usd <= ask
