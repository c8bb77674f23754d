"""JSON with a value that cannot be parsed, and texts that are no JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.sources.lenient_json import parse


def test_what_can_be_parsed_is_what_any_parser_makes_of_it() -> None:
    assert parse('{"a": [1, 2.5, "x"], "b": null}') == ({"a": [1, 2.5, "x"], "b": None}, [])


def test_a_value_is_named_by_its_place_and_shown_with_its_entry() -> None:
    document, [one] = parse(r'{"code":"200000","data":[{"s":"A"},{"s":"B","n":"\ud83d","x":{"y":[1,2]}}]}')
    assert document == {"code": "200000", "data": [{"s": "A"}, {"s": "B", "n": None, "x": {"y": [1, 2]}}]}
    assert one.path == ("data", 1, "n")
    assert one.text == r'{"s":"B","n":"\ud83d","x":{"y":[1,2]}}'
    assert one.reason == "unexpected end of hex escape"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        '[{"a":1},{"b',
        '{"a":1',
        "[1,]",
        "[}",
        "[[]",
        "[1] x",
        "{a:1}",
        '{"a" 1}',
        '["a',
        '"\\ud83d"',
        "5x",
    ],
)
def test_what_is_no_json_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the parser says what it likes
        parse(text)


def test_a_name_that_cannot_be_parsed_costs_its_value() -> None:
    document, [one] = parse(r'[{"a":1,"\ud83d":2,"b":3}]')
    assert (document, one.path) == ([{"a": 1, "b": 3}], (0,))
    assert one.reason.startswith("the name of a value: ")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.text(max_size=5), values, max_size=4), max_size=4), st.integers(0, 4), st.data())
def test_beside_a_value_that_cannot_be_parsed_all_others_are_as_they_were(
    entries: list[dict[str, Any]], place: int, data: Any
) -> None:
    """Whatever stands beside it: brackets, commas and quotation marks in texts and names among it."""
    place = min(place, len(entries))
    odd = data.draw(st.sampled_from([r'"\ud83d"', "9" * 5_000, "[" * 400 + "]" * 400, "nul", '"\x01"']))
    texts = [json.dumps(entry, ensure_ascii=data.draw(st.booleans())) for entry in entries]
    texts.insert(place, f'{{"before": 1, "odd": {odd}, "after": "]}}"}}')
    document, unreadable = parse("[" + ",".join(texts) + "]")
    [wrong] = [document.pop(place)]
    assert document == entries
    assert (wrong["before"], wrong["after"]) == (1, "]}")
    assert {one.path[0] for one in unreadable} == {place}
