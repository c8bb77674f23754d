"""Files that a user writes: read from any editor, or refused in a line that repeats none of their text."""

from __future__ import annotations

import codecs
import io
from pathlib import Path

# A list of 50,000 coins is 3 MB at most. A user who names a disk image by mistake must not wait.
_LARGEST = 10 * 1024 * 1024

# The byte order marks that editors write. UTF-32 comes first: its mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class UserFileError(ValueError):
    """The file cannot be read as text. Says which file, where in it, and what to do."""


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or in the encoding of its byte order mark. Lines end with a line feed.

    A trailing Ctrl-Z, which DOS ended files with, is left out. Raises `UserFileError`.
    """
    data = _read(path)
    mark, encoding = next(((mark, encoding) for mark, encoding in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    return _decoded(path, data.removeprefix(mark), encoding)


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a `.env` file, as Dagster reads them; none where there is no file. Raises `UserFileError`.

    Dagster reads only UTF-8, and ends with a traceback at anything else. So no command reads other files: `make status`
    would show other settings than those of the cycle.
    """
    from dotenv import dotenv_values

    if not path.is_file() and not path.is_fifo():
        return {}
    text = _decoded(path, _read(path).removeprefix(codecs.BOM_UTF8), "utf-8")
    return {name: value for name, value in dotenv_values(stream=io.StringIO(text)).items() if value is not None}


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise UserFileError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > _LARGEST:
        raise UserFileError(f"{path} has over {_LARGEST // 2**20} MB: it is not the file that was meant")
    return data


def _decoded(path: Path, data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, errors="replace").count("\n") + 1
        raise UserFileError(
            f"{path}, line {line}: it is not text in {encoding[:6].upper()}: save it as UTF-8"
        ) from None
    if "\0" in text:
        raise UserFileError(f"{path} holds zero bytes: it is no text, or UTF-16 without a mark: save it as UTF-8")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = text.rstrip("\n\x1a")
    return kept + "\n" if "\x1a" in text[len(kept) :] else text
