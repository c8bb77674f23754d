"""What `LCW_TRACKED_COINS` may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcw_assets.instruments.tracked import CoinsError, read_codes


def top(most: int) -> list[str]:
    return ["BTC", "ETH", "TRUE"][:most]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("BTC,ETH", ["BTC", "ETH"]),
        (" BTC  ETH,\n0xBTC, BTC ", ["BTC", "ETH", "0xBTC"]),
        ("NAN,TRUE,00,O'NE,_______________________________________PEPE",
         ["NAN", "TRUE", "00", "O'NE", "_______________________________________PEPE"]),
        ("top:2", ["BTC", "ETH"]),
        ("top:50000", ["BTC", "ETH", "TRUE"]),
    ],
)  # fmt: skip
def test_codes_are_never_parsed(text: str, codes: list[str]) -> None:
    assert read_codes(text, top) == codes


def test_a_file_has_a_code_a_line_or_many(tmp_path: Path) -> None:
    (tmp_path / "coins.txt").write_text("BTC\nETH, DOGE\n\nBTC\n")
    assert read_codes(f"file:{tmp_path}/coins.txt", top) == ["BTC", "ETH", "DOGE"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "\x1a"])
def test_a_file_is_read_whatever_editor_saved_it(tmp_path: Path, encoding: str, end: str, last: str) -> None:
    (tmp_path / "coins.txt").write_bytes(f"BTC{end}ETH{end}{last}".encode(encoding))
    assert read_codes(f"file:{tmp_path}/coins.txt", top) == ["BTC", "ETH"]


def test_no_error_repeats_what_stands_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "id_rsa"
    for content in (f"BEGIN {'s3cret' * 20} END".encode(), b"s3cret \xff", "s3cret".encode("utf-16-le")):
        file.write_bytes(content)
        with pytest.raises(CoinsError) as raised:
            read_codes(f"file:{file}", top)
        assert "s3c" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("top:0", "after top: comes a number from 1 to 50000"),
        ("top:many", "after top: comes a number"),
        (",", "names no coin"),
        ("file:/no/such/file", "LCW_TRACKED_COINS=file:/no/such/file: /no/such/file cannot be read: No such file"),
        ("file:~nobody-of-this-name/x", "LCW_TRACKED_COINS=file:~nobody-of-this-name/x: .*home"),
        (f"BTC,BTC,{'X' * 65}", "word 2 has over 64 characters"),
    ],
)
def test_what_is_no_list_says_how_one_looks(text: str, says: str) -> None:
    with pytest.raises(CoinsError, match=says):
        read_codes(text, top)


def test_before_the_first_cycle_no_coin_is_on_top() -> None:
    with pytest.raises(CoinsError, match="no coin is known yet, so none is on top: run a cycle first"):
        read_codes("top:100", lambda _most: [])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hunter2" * 20, "word 1 has over 64 characters"),
        (b"BTC hunter2\x1b[31m", "word 2 has a character that nobody can see"),
        (b"\xff\xfehunter2", "line 1: it is not text in UTF-16: save it as UTF-8"),
        (b" ,\n", "names no coin"),
    ],
)
def test_no_error_repeats_what_a_file_holds(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "coins.txt").write_bytes(content)
    with pytest.raises(CoinsError, match=says) as raised:
        read_codes(f"file:{tmp_path}/coins.txt", top)
    assert "hunter2" not in str(raised.value)
    assert f"LCW_TRACKED_COINS=file:{tmp_path}/coins.txt" in str(raised.value)


def test_a_folder_or_a_home_that_is_none_is_no_list(tmp_path: Path) -> None:
    for place, says in (
        (tmp_path, "cannot be read: Is a directory"),
        ("~nobody-of-that-name/coins.txt", "home"),
        ("a\0b", "cannot be read: embedded null byte"),
    ):
        with pytest.raises(CoinsError, match=says):
            read_codes(f"file:{place}", top)


def test_what_a_run_is_given_names_no_file() -> None:
    assert read_codes("BTC top:1", top, "coins") == ["BTC", "top:1"]
    assert read_codes("top:2", top, "coins") == ["BTC", "ETH"]
    for text in ("file:coins.txt", " file:/etc/passwd", "file:"):
        with pytest.raises(CoinsError, match="only LCW_TRACKED_COINS may name a file"):
            read_codes(text, top, "coins")
