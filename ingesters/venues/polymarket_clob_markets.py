"""
Which tokens are listened to: markets by slug, by condition id, by token, and the largest by volume, as Gamma tells.

Gamma is read again from time to time: a new market of the largest is added while the sockets live, one that has closed
goes. A market stays until it is no longer among one and a half times as many as were asked for, so that one at the edge
does not come and go.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, pairwise, repeat
from urllib.parse import urlencode

import msgspec

from common.records import EventKind, Market
from ingesters.feed import Checkpoint, Fetch, Frame, Step, Wake
from ingesters.venues.gamma import read_market, read_page
from ingesters.venues.polymarket_clob_records import told
from ingesters.venues.polymarket_clob_trades import NOWHERE, Place

READ_AGAIN_S = 300.0
AFTER_A_REFUSAL_S = 30.0
PAGE_MARKETS = 100  # Gamma cuts longer pages to this without a word
NAMES_A_QUESTION = 50
STAYING = 1.5
ROUNDED = 1.001  # a volume is told as a text and, sorted by, as a number; and it grows while pages are read
TOP = re.compile(r"top:([1-9][0-9]{0,4})")
TOKEN = re.compile(r"[0-9]{20,80}")
CONDITION = re.compile(r"0x[0-9a-fA-F]{64}")
STATE = "polymarket_clob_tokens"
OK = 200
REFUSALS = (400, 404, 405, 410, 422)
GAMMA, AGAIN = "gamma:", "gamma again:"


class Kept(msgspec.Struct):
    """What a choice meant, as it survives a restart."""

    words: list[str]
    tokens: dict[str, Place]


class Selection:
    """
    The choice in words, and the tokens that it means now.

    What it meant last survives (`polymarket_clob_tokens`): a new connection need not wait for Gamma.
    """

    def __init__(self, gamma_url: str, words: Sequence[str], state: Mapping[str, str]) -> None:
        self._url = f"{gamma_url}/markets/keyset"
        self._round = 0
        self._words: Sequence[str] = ()
        self._named: dict[str, Market] = {}
        self._largest: list[Market] = []
        self._open: dict[str, dict[str, str]] = {}
        self._is_whole = True
        self._said: set[str] = set()
        self.tokens: list[str] = []
        self.places: dict[str, Place] = {}
        self._kept = state.get(STATE, "")
        self.choose(words)

    def choose(self, words: Sequence[str]) -> None:
        """Take a choice; `ask` finds out what it means."""
        self._words = words
        tops = (TOP.fullmatch(word) for word in words)
        self._top = max((int(top[1]) for top in tops if top), default=0)
        self._direct = [word for word in words if TOKEN.fullmatch(word)]
        self._slugs = [word for word in words if not (TOP.fullmatch(word) or TOKEN.fullmatch(word) or _is_id(word))]
        self._conditions = [word for word in words if _is_id(word)]
        with suppress(msgspec.MsgspecError):  # nothing is kept, or another version has kept it: Gamma will tell
            kept = msgspec.json.decode(self._kept, type=Kept)
            if kept.words == list(words):
                self.tokens, self.places = list(kept.tokens), kept.tokens

    def ask(self) -> Iterator[Step]:
        """Ask Gamma all that the choice needs; an answer to an older round counts no more."""
        self._round += 1
        self._named, self._largest, self._open, self._is_whole = {}, [], {}, True
        if self._top:
            yield self._question("top", {"order": "volumeNum", "ascending": "false", "active": "true"})
        for parameter, names in (("slug", self._slugs), ("condition_ids", self._conditions)):
            for start in range(0, len(names), NAMES_A_QUESTION):
                part = names[start : start + NAMES_A_QUESTION]
                yield self._question(f"{parameter}{start}", {}, [(parameter, name) for name in part])

    @property
    def again(self) -> str:
        """Return the name of the alarm that rings for the next reading; those of older rounds count no more."""
        return f"{AGAIN}{self._round}"

    @property
    def is_settled(self) -> bool:
        """Return whether every question of this round is answered."""
        return not self._open

    def hear(self, frame: Frame) -> Iterator[Step]:
        """Take an answer; `settle` tells the outcome once all are there."""
        name = (frame.reply_to or "").removeprefix(f"{GAMMA}{self._round}:")
        query = self._open.get(name)
        if query is None:
            return
        if frame.status != OK:
            yield from self._say_refused(frame, name)
            del self._open[name]
            return
        page = read_page(frame.payload, query.get("after_cursor", ""))
        markets = [market for raw in page.objects if (market := _market(raw, frame.received_ns)) is not None]
        del self._open[name]
        if name != "top":
            for market in markets:
                self._named |= {market.slug: market, market.condition_id: market}
            return
        self._largest += markets
        if not _is_falling(self._largest):
            detail = "Gamma sorts by volume no more: these are not the largest"
            yield from self._say_once(frame, detail, "schema_change")
        if len(self._largest) < self._top * STAYING and page.following is not None:
            yield self._question("top", {**query, "after_cursor": page.following})

    def settle(self, frame: Frame) -> Iterator[Step]:
        """Settle which tokens are listened to, and when Gamma is read again."""
        chosen = {market.market_id: market for market in self._chosen()}
        tokens = [*self._direct, *chain.from_iterable(market.token_ids for market in chosen.values())]
        if not self._is_whole:  # what could not be asked for is not gone
            tokens += self.tokens
        self.tokens = list(dict.fromkeys(tokens))
        for market in chosen.values():
            outcomes = market.outcomes if len(market.outcomes) == len(market.token_ids) else repeat("")
            places = (Place(market.market_id, outcome) for outcome in outcomes)
            self.places |= dict(zip(market.token_ids, places, strict=False))
        if self._is_whole:
            self.places = {token: self.places[token] for token in self.tokens if token in self.places}
            yield from self._say_unknown(frame)
            yield from self._keep()
        if self._top or self._slugs or self._conditions:
            yield Wake(self.again, after_s=READ_AGAIN_S if self._is_whole else AFTER_A_REFUSAL_S)

    def _keep(self) -> Iterator[Step]:
        meaning = {token: self.places.get(token, NOWHERE) for token in self.tokens}
        text = msgspec.json.encode(Kept(list(self._words), meaning)).decode()
        if text != self._kept:
            self._kept = text
            yield Checkpoint("statuses", {STATE: text})

    def _chosen(self) -> Iterator[Market]:
        yield from self._named.values()
        before = frozenset(self.tokens)
        for rank, market in enumerate(self._largest):
            if rank < self._top or (rank < self._top * STAYING and not before.isdisjoint(market.token_ids)):
                yield market

    def _question(self, name: str, query: dict[str, str], names: Sequence[tuple[str, str]] = ()) -> Fetch:
        self._open[name] = query
        asked = {"limit": str(PAGE_MARKETS), "closed": "false", **query}
        url = f"{self._url}?{urlencode([*asked.items(), *names])}"
        return Fetch(key=f"{GAMMA}{self._round}:{name}", url=url, accept=REFUSALS)

    def _say_refused(self, frame: Frame, name: str) -> Iterator[Step]:
        self._is_whole = False
        words = frame.payload[:200].decode(errors="replace")
        detail = f"Gamma does not say which markets are meant ({name}): {frame.status} {words}"
        yield from self._say_once(frame, detail)

    def _say_unknown(self, frame: Frame) -> Iterator[Step]:
        for word in (*self._slugs, *self._conditions):
            if word not in self._named:
                yield from self._say_once(frame, f"no open market is called {word}")

    def _say_once(self, frame: Frame, detail: str, kind: EventKind = "refused") -> Iterator[Step]:
        if detail not in self._said:
            self._said.add(detail)
            yield told(kind, frame, channel="markets", detail=detail)


def _is_id(word: str) -> bool:
    return CONDITION.fullmatch(word) is not None


def _is_falling(markets: Sequence[Market]) -> bool:
    """Return whether volumes fall from market to market; names of orders that Gamma does not know it ignores."""
    volumes = [float(market.volume or 0) for market in markets]
    return all(later <= earlier * ROUNDED for earlier, later in pairwise(volumes))


def _market(raw: bytes, received_ns: int) -> Market | None:
    """Return a market that can be listened to; one that cannot be read is the Gamma ingester's dead letter."""
    try:
        market = read_market(raw, received_ns)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, ArithmeticError):
        return None
    return market if market.token_ids and not market.closed else None
