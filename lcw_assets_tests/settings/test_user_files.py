"""Files that a user writes, with whatever editor."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcw_assets.settings.user_files import UserFileError, read_dotenv, read_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_read_in_what_its_mark_says(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("größer\r\nals €\r\n".encode(encoding))
    assert read_text(file) == "größer\nals €\n"


def test_big_endian_has_a_mark_as_well(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xfe\xff" + "BTC".encode("utf-16-be"))
    assert read_text(file) == "BTC"


@pytest.mark.parametrize("end", ["\x1a", "\n\x1a", "\r\n\x1a\r\n", "\n\x1a\x1a"])
def test_a_trailing_ctrl_z_is_left_out(tmp_path: Path, end: str) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(f"BTC\nETH{end}".encode())
    assert read_text(file) == "BTC\nETH\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"one\ntwo s3cret \xe9\n", "a.txt, line 2: it is not text in UTF-8: save it as UTF-8"),
        ("s3cret".encode("utf-16-le"), "a.txt holds zero bytes: it is no text, or UTF-16 without a mark"),
        (b"\xff\xfes3cret\n", "a.txt, line 1: it is not text in UTF-16: save it as UTF-8"),
        (b"s3cret" * 2_000_000, "a.txt has over 10 MB: it is not the file that was meant"),
    ],
)
def test_what_is_no_text_is_refused_in_a_line_that_repeats_nothing(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(content)
    with pytest.raises(UserFileError) as raised:
        read_text(file)
    assert says in str(raised.value)
    assert str(file) in str(raised.value)
    assert "s3c" not in str(raised.value)


@pytest.mark.parametrize("name", ["none.txt", ".", "zero\0byte"])
def test_what_cannot_be_opened_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserFileError, match="cannot be read"):
        read_text(tmp_path / name)


def test_a_dotenv_is_read_as_dagster_reads_it(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    assert read_dotenv(file) == {}
    file.write_bytes(b"\xef\xbb\xbfA=1\r\nexport B='two words'\r\n# C=3\r\nD=\r\nE\r\nF=${A}2\r\n\x1a")
    assert read_dotenv(file) == {"A": "1", "B": "two words", "D": "", "F": "12"}


@pytest.mark.parametrize("content", ["LCW_COINS=300\n".encode("utf-16"), b"LCW_COINS=300 # f\xfcr uns\n"])
def test_a_dotenv_that_dagster_cannot_read_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(UserFileError, match="save it as UTF-8"):
        read_dotenv(tmp_path / ".env")
