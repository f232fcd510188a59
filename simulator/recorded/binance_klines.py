"""Recorded candles, given out by symbol, interval and time however the pages were cut."""

from collections import defaultdict

import msgspec

DEFAULT_ROWS = 500

_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode
_opening = msgspec.json.Decoder(tuple[int, str, str, str, str, str, int, str, int, str, str, str]).decode


class Klines:
    """All candles of the recorded pages; of two versions of one the later one stands."""

    def __init__(self) -> None:
        self._of: defaultdict[tuple[str, str], dict[int, bytes]] = defaultdict(dict)

    def take(self, query: dict[str, str], body: bytes) -> None:
        """Keep the rows of a recorded page."""
        kept = self._of[query.get("symbol", ""), query.get("interval", "")]
        for raw in _rows(body):
            kept[_opening(raw)[0]] = bytes(raw)

    def page(self, query: dict[str, str]) -> bytes | None:
        """Return the rows asked for, None for a symbol without any."""
        symbol = query.get("symbol", "")
        if all(symbol != named for named, _ in self._of):
            return None
        kept = self._of.get((symbol, query.get("interval", "")), {})
        start, end = int(query.get("startTime", "0")), int(query.get("endTime", str(2**62)))
        limit = int(query.get("limit", DEFAULT_ROWS))
        rows = [kept[opening] for opening in sorted(kept) if start <= opening <= end]
        return b"[" + b",".join(rows[:limit] if "startTime" in query else rows[-limit:]) + b"]"
