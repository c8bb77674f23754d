"""A secret that a server sends back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from lcw_assets.transport.facts import Response

# So many characters stand in a response because the server echoes them. A shorter secret may be a word: with the key
# C1, a third of all coins lost their code.
NO_WORD = 20


@dataclass(frozen=True)
class Secret:
    """A key, or none."""

    _text: str | None = field(default=None, repr=False)

    @property
    def may_be_a_word(self) -> bool:
        return len(self._text or "") < NO_WORD

    def blot_out(self, answer: Response) -> Response:
        """The answer less the secret, in capitals as well; the very same where it does not hold it."""
        if not self._text or self._text.lower() not in answer.text.lower():
            return answer
        return replace(answer, text=re.sub(re.escape(self._text), "***", answer.text, flags=re.IGNORECASE))
