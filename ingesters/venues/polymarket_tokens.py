"""Outcome tokens that events name and no market is known for: which to ask for now."""

from collections.abc import Iterable
from urllib.parse import urlencode

from common.clock import NS_PER_S

BATCH = 50  # 78 digits each: the address stays below 5 kB
MOST_BATCHES = 5  # a pass; both halves of Gamma are asked, so ten requests each two seconds of 60 allowed
FIRST_PAUSE_NS = 60 * NS_PER_S
LONGEST_PAUSE_NS = 3600 * NS_PER_S


class WantedTokens:
    """Remembers when each token was asked for; one that Gamma does not know is asked for ever more rarely."""

    def __init__(self) -> None:
        self._pauses_ns: dict[str, int] = {}
        self._next_ns: dict[str, int] = {}

    def batches(self, words: Iterable[str], now_ns: int) -> list[tuple[str, ...]]:
        """Return the tokens that are due, and forget those that are wanted no more."""
        wanted = {word for word in words if word.isascii() and word.isdigit()}
        self._pauses_ns = {token: pause for token, pause in self._pauses_ns.items() if token in wanted}
        self._next_ns = {token: due for token, due in self._next_ns.items() if token in wanted}
        due = sorted(token for token in wanted if self._next_ns.get(token, 0) <= now_ns)[: BATCH * MOST_BATCHES]
        for token in due:
            pause_ns = min(LONGEST_PAUSE_NS, 2 * self._pauses_ns.get(token, FIRST_PAUSE_NS // 2))
            self._pauses_ns[token] = pause_ns
            self._next_ns[token] = now_ns + pause_ns
        return [tuple(due[start : start + BATCH]) for start in range(0, len(due), BATCH)]


def tokens_url(base: str, tokens: tuple[str, ...], closed: str, *, by_offset: bool) -> str:
    """Return the address that finds the open or closed markets of some tokens."""
    query = [("limit", str(2 * BATCH)), ("closed", closed), *(("clob_token_ids", token) for token in tokens)]
    return f"{base}/markets{'' if by_offset else '/keyset'}?{urlencode(query)}"
