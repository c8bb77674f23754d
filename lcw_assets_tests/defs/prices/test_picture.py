"""The picture of the sources' deviations: what it shows, what it leaves out, and that a browser shows it."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import duckdb
from playwright.sync_api import Page

import lcw_assets.defs.prices.picture as picture
from lcw_assets.defs.prices.picture import BINS, SPAN, as_markdown, deviation_picture, window
from lcw_assets.warehouse.schema import migrate, tables
from lcw_assets.warehouse.statements import Statements
from lcw_assets.warehouse.tables import append_row
from lcw_assets_tests.conftest import NOON
from lcw_assets_tests.defs.prices.venues import SEVEN

BASIS_POINT = 1e-4
BAND, BEYOND, SVG = "#3b82f6", "#b7791f", "{http://www.w3.org/2000/svg}"


def row(source: str, place: int, median: float, width: float = 1.0) -> dict[str, Any]:
    """In basis points; `place` counts the bins."""
    low, middle, high = (BASIS_POINT * value for value in (median - width, median, median + width))
    moment = NOON - SPAN + place * (SPAN / BINS)
    return {"source": source, "moment": moment, "lowest": low, "median": middle, "highest": high}


def steady(source: str, median: float = 0.0, places: range = range(BINS)) -> list[dict[str, Any]]:
    return [row(source, place, median) for place in places]


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 - ours


def paths(svg: str, **attributes: str) -> list[str]:
    found = ElementTree.fromstring(svg).findall(f"{SVG}path")  # noqa: S314 - ours
    return [path.get("d", "") for path in found if all(path.get(name) == value for name, value in attributes.items())]


def lines(svg: str) -> list[str]:
    """The medians."""
    return paths(svg, stroke=BAND)


def test_each_source_is_a_strip_with_its_last_median() -> None:
    svg = deviation_picture([*steady("okx", 1.5), *steady("kraken", -2.0)], NOON)
    said = texts(svg)
    assert [name for name in said if name in ("okx", "kraken")] == ["kraken", "okx"]
    assert [text for text in said if re.fullmatch(r"[+-].*bp", text)] == ["-2.0 bp", "+1.5 bp"]
    assert said.count("±3 bp") == 2
    assert {"UTC", "07:00", "12:00", "beyond 3 bp"} <= set(said)
    assert len(lines(svg)) == 2


def test_a_line_is_above_the_zero_line_by_its_share_of_the_scale() -> None:
    """The strip is 36 pixels high, of which 17 are the scale of 2 bp: 1 bp is 8.5 above the middle at 48."""
    svg = deviation_picture(steady("okx", 1.0), NOON)
    [line] = lines(svg)
    assert line.startswith("M118 39.5h9")
    [band] = paths(svg, fill=BAND)
    assert band.startswith("M118 48V31.0h9") and band.endswith("V48.0h-9z")


def test_where_a_source_was_out_is_a_gap() -> None:
    svg = deviation_picture([*steady("okx", places=range(20)), *steady("okx", places=range(30, BINS))], NOON)
    first, second = lines(svg)
    assert (first.count("h9"), second.count("h9")) == (20, 30)
    assert first.startswith("M118 ") and second.startswith(f"M{118 + 30 * 9} ")
    assert "out" not in texts(svg)
    assert "out" in texts(deviation_picture(steady("okx", places=range(BINS - 1)), NOON))


def test_nulls_and_what_is_no_number_are_gaps_too() -> None:
    rows = steady("okx")
    rows[3] |= {"lowest": None, "median": None, "highest": None}
    rows[7] |= {"highest": math.inf}
    rows[9] |= {"median": math.nan}
    assert [line.count("h9") for line in lines(deviation_picture(rows, NOON))] == [3, 3, 1, 50]


def test_who_never_sent_a_price_has_an_empty_strip_in_its_place() -> None:
    svg = deviation_picture(steady("okx"), NOON, ["kraken", "okx"])
    assert [text for text in texts(svg) if text in ("kraken", "okx", "out")] == ["kraken", "out", "okx"]


def test_two_liars_do_not_flatten_the_others() -> None:
    rows = [one for place, source in enumerate(SEVEN) for one in steady(source, 5_000.0 if place < 2 else 1.0)]
    svg = deviation_picture(rows, NOON, SEVEN)
    assert texts(svg).count("±2 bp") == 7
    [first, second] = paths(svg, fill=BEYOND)[0:2]
    assert first.count("z") == second.count("z") == BINS
    assert len(paths(svg, fill=BEYOND)) == 2
    assert texts(svg).count("+5,000.0 bp") == 2


def test_what_is_beyond_the_scale_is_marked_at_its_edge() -> None:
    rows = [*steady("okx"), *steady("kraken"), *steady("bybit")]
    rows[5], rows[7] = row("okx", 5, -50.0), row("okx", 7, 50.0)
    svg = deviation_picture(rows, NOON)
    [marks] = paths(svg, fill=BEYOND)
    top = 30 + 2 * 44  # the third strip by name
    assert marks == f"M163 {top + 33}h9v3h-9zM181 {top}h9v3h-9z"


def test_what_is_outside_the_hours_is_not_shown() -> None:
    rows = [row("okx", place, 0.0) for place in (-1, 0, BINS - 1, BINS)]
    assert [line.count("h9") for line in lines(deviation_picture(rows, NOON))] == [1, 1]


def test_without_any_price_it_says_so() -> None:
    assert "no source had a price in this time" in texts(deviation_picture([], NOON))


def test_seven_sources_are_small() -> None:
    rows = [
        row(source, place, 17.0 * math.sin(place * 7.3 + number), 3.3)
        for number, source in enumerate(SEVEN)
        for place in range(BINS)
    ]
    assert len(as_markdown(deviation_picture(rows, NOON, SEVEN))) < 30_000


def test_foreign_text_is_text() -> None:
    hostile = '"><script>x</script>&\x1b[31m\u202e' + "x" * 100
    svg = deviation_picture(steady(hostile), NOON)
    [name] = [text for text in texts(svg) if "script" in text]
    assert name == '"><script>x</scr…'
    assert "<script" not in svg and svg.isprintable()
    assert texts(deviation_picture(steady("a\x1b\nb"), NOON)).count("a\\x1b\\nb") == 1
    assert re.fullmatch(r"!\[[a-z ]+\]\(data:image/svg\+xml;base64,[A-Za-z0-9+/=]+\)", as_markdown(svg))


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_nothing_is_painted_behind_it_and_colours_have_contrast_with_dark_and_light() -> None:
    """WCAG asks for 3 : 1 of lines and large text. Dagster's dark page is #030615."""
    svg = deviation_picture([*steady("okx"), *steady("kraken", 900.0)], NOON)
    assert "<rect" not in svg and "style" not in svg
    for colour in set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]{6})"(?! (?:fill|stroke)-opacity)', svg)):
        for page in ("#ffffff", "#030615"):
            darker, lighter = sorted((luminance(colour), luminance(page)))
            assert (lighter + 0.05) / (darker + 0.05) > 3, (colour, page)


def test_a_browser_shows_it_as_an_image(page: Page) -> None:
    svg = deviation_picture(steady("okx <&>"), NOON)
    address = as_markdown(svg).partition("(")[2].removesuffix(")")
    page.set_content(f'<img src="{address}">')
    size = page.locator("img").evaluate("image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])")
    assert size == [int(re.findall(f'{name}="([0-9]+)"', svg)[0]) for name in ("width", "height")]


def test_a_minute_run_imports_no_drawing_for_it() -> None:
    code = f"import sys, {picture.__name__}; print([name for name in ('matplotlib', 'duckdb') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def bins(facts: list[tuple[Any, ...]]) -> list[Mapping[str, Any]]:
    """Facts are (source, minutes before noon, lowest, median and highest deviation)."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        migrate(db)
        for source, minutes, lowest, middle, highest in facts:
            at = NOON - timedelta(minutes=minutes)
            row = dict.fromkeys(column.name for column in tables()["prices.source_loads"])
            row |= {"load_id": "l", "priced_at": at, "source": source, "outcome": "ok", "latency_s": 0.1, "votes": 6}
            row |= {"rejected": 0, "lowest": lowest, "deviation": middle, "highest": highest, "calls": 1, "bytes": 1}
            append_row(db, "prices.source_loads", row | {"cost": 0.0})
        return list(Statements(picture.__file__).rows(db, "deviations", window(NOON, ["okx", "kraken", "bybit"])))


def test_rounds_are_binned_by_source_until_now() -> None:
    facts = [
        ("okx", 0, 0.0002, 0.0003, 0.0004),
        ("okx", 5, -0.0002, -0.0001, 0.0),
        ("okx", 5.9, 0.0001, 0.0002, 0.0002),
        ("okx", 6, 0.5, 0.5, 0.5),
        ("kraken", 1, -0.0004, -0.0004, -0.0004),
    ]
    kraken, before, last = bins(facts)
    assert (kraken["source"], kraken["median"]) == ("kraken", -0.0004)
    assert (last["lowest"], last["median"], last["highest"]) == (-0.0002, 0.0002, 0.0004)
    assert (before["lowest"], before["highest"]) == (0.5, 0.5)
    assert last["moment"] == NOON - timedelta(minutes=6) and before["moment"] == NOON - timedelta(minutes=12)


def test_a_source_without_a_price_is_a_bin_without_numbers_and_only_those_that_vote_are_shown() -> None:
    facts = [
        ("okx", 1, None, None, None),
        ("kraken", 2, 0.0001, 0.0001, 0.0001),
        ("coingecko", 1, 0.001, 0.001, 0.001),
        ("bybit", 360, 0.1, 0.1, 0.1),
        ("bybit", -1, 0.1, 0.1, 0.1),
    ]
    kraken, okx = bins(facts)
    assert (kraken["source"], kraken["median"]) == ("kraken", 0.0001)
    assert (okx["source"], okx["lowest"], okx["median"], okx["highest"]) == ("okx", None, None, None)


def test_rows_of_the_query_are_all_in_the_picture() -> None:
    """A round each minute of six hours is in a bin, and each bin is drawn."""
    found = bins([("okx", minute_before, 0.0001, 0.0001, 0.0001) for minute_before in range(360)])
    [line] = lines(deviation_picture(found, NOON))
    assert line.count("h9") == BINS == len(found)


def test_only_what_would_be_rejected_is_red() -> None:
    red = re.findall(
        r'fill="#e5484d">([^<]*)<', deviation_picture([*steady("okx", 19.0), *steady("kraken", -21.0)], NOON)
    )
    assert red == ["-21.0 bp"]
    assert "-0.0 bp" not in deviation_picture(steady("okx", -0.0), NOON)
