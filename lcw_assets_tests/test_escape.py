"""Foreign text, wherever a person sees it: what is hostile in it is shown, and does nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lcw_assets import escape

HOSTILE = [
    "a\nb",
    "a\r\nb",
    "\x1b[2J\x1b[31mred",
    "\x9b31m",
    "\u202egnp.exe",
    "\u2028line",
    "a\x00b",
    "\ud83d",
    "<img src=x onerror=alert(1)>",
    "<!channel>",
    "@everyone",
    "<@U123>",
    "[free coins](https://evil.example)",
    "![x](https://evil.example/pixel.png)",
    "https://evil.example",
    "www.evil.example",
    "me@evil.example",
    "a|b",
    "a\\|b",
    "a\\\\|b",
    "`code`",
    "``",
    "**bold**",
    "_soft_",
    "~~gone~~",
    "# head",
    "- item",
    "&lt;b&gt;",
    "A, 3 more delisted: B",
    "x" * 5000,
]
ANY = st.text(st.characters(codec=None), max_size=60) | st.sampled_from(HOSTILE)
MARKUP = st.text(st.sampled_from("|\\`*_[]()<>!~#&@:/.-ab \n\u202e"), max_size=20)


@given(ANY)
def test_a_line_is_one_line_that_can_be_seen(text: str) -> None:
    said = escape.line(text)
    assert said.isprintable()
    assert len(said.splitlines()) <= 1


def test_a_line_says_what_it_hides_and_ends_somewhere() -> None:
    assert escape.line("a\nb\x1b[31m\u202e\ud83d") == "a\\nb\\x1b[31m\\u202e\\ud83d"
    assert escape.line("Zürich ₿ 币安 👍") == "Zürich ₿ 币安 👍"
    assert escape.line("x" * 5000) == "x" * 1000 + "…"


@given(st.lists(ANY, min_size=1, max_size=4))
def test_no_line_but_the_first_begins_as_a_log_does(texts: list[str]) -> None:
    first, *others = escape.lines("\n".join(texts)).split("\n")
    assert all(part.startswith("    ") for part in others)
    assert all(part.isprintable() for part in (first, *others))


@pytest.mark.parametrize("code", ["BTC", "O'NE", "APE$", "BTC++", "0xBTC", "____PEPE", "MD+", "NAN", "XBTUSDTM"])
def test_a_code_that_separates_nothing_is_itself(code: str) -> None:
    assert escape.name(code) == code


def test_a_name_cannot_look_like_two() -> None:
    assert escape.some(["A", 'B, C", D']) == 'A, "B, C\\", D"'
    assert escape.name("") == '""'
    assert escape.some(["B", "A"]) == "B, A"
    assert escape.some([f"{number:02}" for number in range(10)]).endswith("08, 09")
    assert escape.some([f"{number:02}" for number in range(12)]).endswith("08, 09 and 2 more")


def rendered(markdown: str) -> tuple[list[str], str]:
    """The kinds of Markdown's tokens, and the text that a reader sees. With tables and links of bare addresses, as in
    Dagster's UI.
    """
    kinds, seen = [], []
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for token in reader.parse(markdown):
        kinds.append(token.type)
        for child in token.children or ():
            kinds.append(child.type)
            seen.append(child.content)
    return kinds, "".join(seen)


@given(ANY | MARKUP)
def test_markdown_makes_nothing_of_it(text: str) -> None:
    kinds, seen = rendered(f"see {escape.markdown(text)} here")
    assert set(kinds) <= {"paragraph_open", "paragraph_close", "inline", "text", "code_inline", "text_special"}
    assert seen == f"see {escape.line(text)} here"


@given(ANY | MARKUP)
def test_it_stays_in_its_cell(text: str) -> None:
    kinds, seen = rendered(f"| a | b |\n|---|---|\n| {escape.cell(text)} | end |")
    assert kinds.count("td_open") == 2
    assert not re.search(r"(?<!\\)(?:\\\\)*\|", escape.cell(text))  # as Dagster's UI reads it
    assert not {"html_inline", "link_open", "image", "em_open", "strong_open", "s_open"} & set(kinds)
    assert seen.startswith("ab")
    assert seen.endswith("end")
    assert seen[2:-3].replace("\\", "").strip() == escape.line(text).replace("\\", "").strip()


@pytest.mark.parametrize("text", ["coins/list offset 600 took 43.0 s on attempt 1", "cycle_time", "20 %, at most"])
def test_what_means_nothing_to_markdown_stays_as_it_is(text: str) -> None:
    assert escape.markdown(text) == escape.cell(text) == text


@pytest.mark.parametrize("text", ["https://evil.example", "www.evil.example", "me@evil.example"])
def test_an_address_is_no_link(text: str) -> None:
    """Dagster's UI makes links of bare addresses, whatever is escaped in them; of code it makes none."""
    assert escape.markdown(text) == f"`{text}`"


@given(ANY | MARKUP)
def test_a_chat_finds_nobody_to_mention(text: str) -> None:
    said = escape.chat(escape.line(text))
    assert said.replace("\u200b", "") == escape.line(text)
    for sign in ("@everyone", "@channel", "<!", "<@", "<#", "]("):
        assert sign not in said
