"""What docs/prices.md prints of a round is what the tables of that round have, and what a user does there works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from lcw_assets.cli.query import table
from lcw_assets.defs.prices import consensus, conversion, health, lifetimes, quotes, refusal
from lcw_assets.defs.prices.definitions import quote_prices
from lcw_assets.instruments import names
from lcw_assets.settings import load_settings
from lcw_assets_tests.commands import ROOT
from lcw_assets_tests.defs.prices.rounds import Prices, lying, prices
from lcw_assets_tests.loads import folder_settings

PAGE = (ROOT / "docs" / "prices.md").read_text()
_NUMBER = re.compile(r"\d+\.\d+(?:e-?\d+)?")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```(?:{language})\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def cells(drawn: list[str]) -> list[list[str]]:
    """Of a table, however wide its columns are drawn."""
    return [[cell.strip() for cell in line.split("│")] for line in drawn if line.startswith("│")]


EXPLAINED = section("One round, to the last digit")


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prices]:
    """The round of the page: 12:01, for whatever time its calls take, and OKX lies."""
    with prices(tmp_path_factory.mktemp("explained"), lying(okx="jump")) as demo:
        demo.simulator.clock = lambda: demo.now
        demo.round()
        yield demo


@pytest.fixture
def by_hand() -> dict[str, Any]:
    """What the page's Python gives, by name."""
    [code] = blocks(EXPLAINED, "python")
    found: dict[str, Any] = {}
    exec(code, found)  # noqa: S102 - our own page
    return found


def test_each_query_of_the_page_gives_what_is_printed_below_it(explained: Prices) -> None:
    pairs = re.findall(r"^```sql\n(.*?)^```\n\n```\n(.*?)^```$", EXPLAINED, re.MULTILINE | re.DOTALL)
    assert len(pairs) == len(blocks(EXPLAINED, "sql")) == 4
    for query, printed in pairs:
        given = table(folder_settings(explained.folder), query, rows=20, width=200)
        assert cells(given) == cells(printed.splitlines()), query


def test_the_python_of_the_page_gives_what_its_comments_say(by_hand: dict[str, Any]) -> None:
    [code] = blocks(EXPLAINED, "python")
    said = re.findall(r'^ *"?(\w+)"?(?: = |: ).*# (\S+)$', code, re.MULTILINE)
    assert len(said) == 16
    for name, value in said:
        assert repr({**by_hand, **by_hand["usd"]}[name]) == value, name


def test_the_python_of_the_page_begins_with_what_the_tables_have_and_ends_with_what_they_have(
    explained: Prices, by_hand: dict[str, Any]
) -> None:
    [code] = blocks(EXPLAINED, "python")
    given = {float(number) for line in code.splitlines() for number in _NUMBER.findall(line.partition("#")[0])}
    sent = {price for (price,) in explained.query("SELECT price FROM prices.quotes WHERE symbol IN ('BTC', 'USDT')")}
    assert given == sent | {1.4826, 0.002}
    stored = explained.query("SELECT source, usd_price FROM prices.quotes WHERE symbol = 'BTC'")
    assert by_hand["usd"] == dict(stored)
    assert explained.query("SELECT usd, implied FROM prices.rates") == [(by_hand["usdt"], None)]
    columns = ("price", "used", "rejected", "spread", "mad", "confidence")
    [row] = explained.query(f"SELECT {', '.join(columns)} FROM prices.consensus WHERE symbol = 'BTC'")
    assert row == (by_hand["price"], len(by_hand["used"]), by_hand["out"], *(by_hand[name] for name in columns[3:]))
    [(center, limit)] = explained.query(
        "SELECT (detail ->> 'center')::DOUBLE, (detail ->> 'limit')::DOUBLE FROM prices.quotes "
        "WHERE symbol = 'BTC' AND role = 'rejected'"
    )
    assert (center, limit) == (by_hand["middle"], by_hand["furthest"])


def test_the_true_price_and_the_error_of_the_page(explained: Prices, by_hand: dict[str, Any]) -> None:
    [(true, off, side)] = re.findall(r"that moment was ([\d.]+)\. The consensus is ([\d.]+) % (\w+) it", EXPLAINED)
    assert repr(explained.true_price("BTC", explained.now)) == true
    error = by_hand["price"] / float(true) - 1
    assert (f"{abs(100 * error):.4f}", "below" if error < 0 else "above") == (off, side)


def test_every_reason_and_every_check_is_explained_and_no_other() -> None:
    explained_codes = set()
    for row in re.findall(r"^\|(.*?)\|", section("Reasons"), re.MULTILINE):
        explained_codes |= set(re.findall(r"`(\w+)`", row))
    assert explained_codes == {*get_args(refusal.Code), *get_args(names.Code)}
    found = set()
    for row in re.findall(r"^\|(.*?)\|", section("Live Coin Watch, checks and alerts"), re.MULTILINE):
        found |= set(re.findall(r"`(\w+)`", row))
    standard = {check.name for check in quote_prices.standard_checks()} - {"keys_unique"}
    assert found == {*standard, *(check.name for check in quote_prices.checks)}


def test_the_limits_of_the_page_are_those_of_the_code() -> None:
    said = " ".join(PAGE.split())
    rates, prices_, use = conversion.DEFAULT_LIMITS, consensus.DEFAULT_LIMITS, quotes.DEFAULT_LIMITS
    source, shared, settings = health.DEFAULT_LIMITS, lifetimes.DEFAULT_LIMITS, load_settings(PRICES_ROUND_S="5")
    for sentence in (
        f"at most {100 * use.tight:g} % apart",
        f"more than {100 * use.absurd:g} % wide",
        f"more than {100 * use.outside:g} % from the middle",
        f"over {use.age_s['none']:g} s (a trade: {use.age_s['trade']:g} s)",
        f"over {use.ahead_s:g} s ahead",
        f"max({prices_.sigmas:g} x 1.4826 x MAD, {100 * prices_.floor:g} % of m)",
        f"within {100 * prices_.floor:g} % of the price; within {100 * prices_.near_if_few:g} % where",
        f"over {100 * prices_.cap:g} % of the weight",
        f"within {100 * rates.agreement:g} % of that median",
        f"more than {100 * rates.moved:g} % from the last good rate",
        f"within {100 * rates.near:g} % of the last rate",
        f"under {100 * source.success:g} % of its last {source.window} rounds",
        f"take over {source.latency_s:g} s",
        f"over {source.age_s:g} s old",
        f"moves by {100 * shared.drift:g} %",
        f"from {shared.shortest_s:g} to {shared.longest_s:g} s",
        f"It has {load_settings().prices_deadline_s:g} s;",
        f"{7 * len(settings.prices_rounds_s)} calls a minute",
        f"{7 * 24 * 60 + 7:,} calls a day",
    ):
        assert sentence in said, sentence


def test_a_name_is_corrected_as_the_page_does_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the lists of all seven, one a round, SUI is on them, and nothing says that it is the coin `_SUI`."""
    [lookup] = blocks(section("Names"), "sql")
    [insert] = blocks(section("Names"), "python")
    newest = "SELECT price, reason, asked FROM prices.consensus WHERE symbol = '_SUI' ORDER BY load_id DESC LIMIT 1"
    monkeypatch.chdir(tmp_path)
    with prices(tmp_path / "data", PRICES_SYMBOLS="BTC,_SUI") as demo:
        for _ in range(7):
            demo.round()
        assert demo.query(newest) == [(None, "no_quorum", 0)]
        assert {base for _, _, base, _ in demo.query(lookup) if base == "SUI"}
        exec(insert, {})  # noqa: S102 - our own page
        demo.round()
        [(price, reason, asked)] = demo.query(newest)
        assert (price, reason, asked) == (pytest.approx(demo.true_price("_SUI", demo.now), rel=1e-3), None, 7)
        [undo] = re.findall(r"`(DELETE [^`]+)`", " ".join(section("Names").split()))
        exec(insert.replace(re.findall(r'"(INSERT .*)"', insert)[0], undo), {})  # noqa: S102
        demo.round()
        assert demo.query(newest) == [(None, "no_quorum", 0)]
