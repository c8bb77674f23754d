"""A secret that a server sends back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from hashlib import sha256

from lcw_assets.transport.facts import Response

# A text of so many characters is in a response only if the server echoes it. A shorter secret may be a word: the key C1
# once removed the codes of a third of all coins.
NO_WORD = 20


@dataclass(frozen=True)
class Secret:
    """A key, or none."""

    _text: str | None = field(default=None, repr=False)

    @property
    def may_be_a_word(self) -> bool:
        return len(self._text or "") < NO_WORD

    def blot_out(self, response: Response) -> Response:
        """The response without the secret, in any case of letters; the same object if it does not contain it."""
        text = self.remove(response.text)
        return response if text is response.text else replace(response, text=text)

    def remove(self, text: str) -> str:
        """The text without it; the same object if it does not contain it."""
        if not self._text or self._text.lower() not in text.lower():
            return text
        return re.sub(re.escape(self._text), "***", text, flags=re.IGNORECASE)

    def digest(self, text: str) -> str:
        """A name for `text` that is another one for each secret, and does not show it."""
        return sha256(f"{text}\n{self._text or ''}".encode()).hexdigest()[:32]
