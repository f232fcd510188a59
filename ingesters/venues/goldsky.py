"""
Polymarket's order-filled events, from the orderbook subgraph that Goldsky serves.

The subgraph is asked page by page, with the place of the last event that is safe in the stream. Its index ended with
the first exchange contracts in April 2026: a head that stands still is told as such, not taken for a quiet market.
"""

from collections.abc import Iterable, Iterator

from common.clock import NS_PER_S
from common.errors import BadAnswer, WireError
from common.records import FeedEvent
from common.settings import Settings
from ingesters.feed import Checkpoint, Fetch, Frame, Resume, Step
from ingesters.venues.event_errands import late
from ingesters.venues.goldsky_events import event, records, removal
from ingesters.venues.goldsky_head import HeadWatch, feed_event, reorganised
from ingesters.venues.goldsky_odd import OddRows
from ingesters.venues.goldsky_page import VENUE, Cursor, Page, Row, question, read_page, rows_beyond
from ingesters.venues.goldsky_recheck import Difference, Recheck
from ingesters.venues.goldsky_wishes import ByHand

RECHECK_EVERY_S = 60

PAGE, RECHECK, WISHED = "page", "recheck", "wished"


class GoldskyFeed:
    """The walk along the events, and a second one over the last ten minutes for what a reorganisation changed."""

    venue = VENUE

    def __init__(self, settings: Settings, resume: Resume) -> None:
        self._url = settings.goldsky_url
        self._poll_s = settings.goldsky_poll_s
        self._reached = Cursor(
            int(resume.state.get("goldsky_last_timestamp", settings.goldsky_start_timestamp)),
            resume.state.get("goldsky_last_id", ""),
        )
        self._asks_head = True
        self._head = HeadWatch(settings.goldsky_lag_s)
        self._recheck = Recheck(self._reached)
        self._by_hand = ByHand(resume.state)
        self._odd_rows = OddRows()
        self._rechecked_ns: int | None = None
        self._rechecked_block: str | None = None

    def opening(self) -> Iterator[Step]:
        """Ask for the first page, and whether somebody wants other ones."""
        yield self._fetch(PAGE)
        yield self._by_hand.recall

    def receive(self, frame: Frame) -> Iterator[Step]:
        """Say what an answer holds; an answer that is none changes nothing, and the same is asked again."""
        if self._by_hand.is_about(frame.reply_to):
            yield from self._by_hand.hear(frame)
            yield from self._ask_wished()
            return
        if frame.reply_to not in (PAGE, RECHECK, WISHED):
            raise WireError(
                VENUE, reason="expected an answer, found bytes that nobody asked for", payload=frame.payload
            )
        page = read_page(frame.payload)
        if page.complaint:
            yield from self._complain(page, frame)
            return
        self._require_lead(page, self._place(frame.reply_to))
        yield from self._odd_rows.set_aside(page.odd, frame.received_ns)
        if frame.reply_to == RECHECK:
            yield from self._compare(page, frame.received_ns)
        elif frame.reply_to == WISHED:
            yield from self._add_wished(page, frame.received_ns)
        else:
            yield from self._go_on(page, frame.received_ns)

    def _complain(self, page: Page, frame: Frame) -> Iterator[Step]:
        """Nothing is taken from an answer with errors; what it tells about the head is passed on."""
        news: list[Step] = list(self._look_at_head(page, frame.received_ns))
        is_about_head = "_meta" in page.complaint
        pause_s = 0.0 if is_about_head and self._asks_head else self._poll_s
        if is_about_head and self._asks_head:
            self._asks_head = False
            news.append(_without_head(page.complaint, frame.received_ns))
        if not news and not is_about_head:
            raise BadAnswer(VENUE, reason=page.complaint)
        yield from news
        yield self._fetch(frame.reply_to or PAGE, after_s=pause_s)  # worded anew: without the head if need be

    def _go_on(self, page: Page, received_ns: int) -> Iterator[Step]:
        yield from self._look_at_head(page, received_ns)
        reached = page.leads(self._reached)
        if reached:
            fresh, self._reached = rows_beyond(page.rows, self._reached), reached
            difference = self._recheck.compare(fresh)
            yield from records(difference, received_ns, are_late=False)
            yield self._checkpoint()
            yield from _corrected(difference, received_ns)
        yield self._fetch(PAGE, after_s=0.0 if page.is_full and reached else self._poll_s)
        if not page.is_full and self._wants_recheck(page, received_ns):
            yield self._fetch(RECHECK)

    def _wants_recheck(self, page: Page, received_ns: int) -> bool:
        """Return whether a second reading is due: each minute, but not of a block that was read like this before."""
        if self._rechecked_ns is None:
            self._rechecked_ns = received_ns
        if self._recheck.is_walking or received_ns - self._rechecked_ns < RECHECK_EVERY_S * NS_PER_S:
            return False
        block = page.head.block.hash if page.head else None
        if block is not None and block == self._rechecked_block:
            return False
        self._rechecked_ns, self._rechecked_block = received_ns, block
        return self._recheck.begin(self._reached)

    def _compare(self, page: Page, received_ns: int) -> Iterator[Step]:
        rows = rows_beyond(page.rows, self._recheck.after)
        goes_on = page.leads(self._recheck.after) is not None
        difference = self._recheck.walk(rows, page.odd)
        if any(difference):
            # The place stays: an event behind it is added in one transaction with the place where it was found.
            yield from records(difference, received_ns, are_late=True)
            yield self._checkpoint()
            yield from _corrected(difference, received_ns)
            yield from reorganised("backfilled", "events came late", _places(difference.new), received_ns)
        # A short page ends nothing here: what it left out would pass for vanished.
        if goes_on and not self._recheck.is_past(self._recheck.after):
            yield self._fetch(RECHECK)
            return
        vanished = self._recheck.end()
        yield from (removal(row, received_ns) for row in vanished)
        yield from reorganised("gap", "events vanished", _places(vanished), received_ns)

    def _add_wished(self, page: Page, received_ns: int) -> Iterator[Step]:
        if page.is_full and page.last is None:  # it may lead on another time: what is wrong with it has been told
            yield self._fetch(WISHED, after_s=self._poll_s)
            return
        after = self._by_hand.after
        rows = self._by_hand.missing(rows_beyond(page.rows, after), page.leads(after))
        yield from (late(event(row, received_ns)) for row in rows)
        yield from self._by_hand.answered(received_ns)
        yield from self._ask_wished()

    def _ask_wished(self) -> Iterator[Step]:
        if self._by_hand.wants_to_ask():
            yield self._fetch(WISHED)

    def _require_lead(self, page: Page, after: Cursor) -> None:
        if page.is_full and page.last and not page.leads(after):
            raise BadAnswer(VENUE, reason=f"expected rows beyond {after}, found a full page of older ones")

    def _place(self, key: str) -> Cursor:
        """Return the place behind which a question asks."""
        return {RECHECK: self._recheck.after, WISHED: self._by_hand.after}.get(key, self._reached)

    def _look_at_head(self, page: Page, received_ns: int) -> Iterator[Step]:
        if page.head:
            yield from self._head.look(page.head, received_ns)
        elif self._asks_head and not page.complaint:
            self._asks_head = False
            yield _without_head("the answer has no _meta", received_ns)

    def _fetch(self, key: str, after_s: float = 0.0) -> Fetch:
        body = question(self._place(key), with_head=self._asks_head)
        return Fetch(key=key, url=self._url, body=body, after_s=after_s)

    def _checkpoint(self) -> Checkpoint:
        timestamp, last_id = self._reached
        return Checkpoint("order_events", {"goldsky_last_timestamp": str(timestamp), "goldsky_last_id": last_id})


def _without_head(reason: str, received_ns: int) -> FeedEvent:
    detail = f"the subgraph does not tell its head, a standstill cannot be seen: {reason}"
    return feed_event("schema_change", detail, from_ns=received_ns, to_ns=received_ns)


def _corrected(difference: Difference, received_ns: int) -> Iterator[FeedEvent]:
    changed = _places(now for _, now in difference.changed)
    yield from reorganised("resync", "events have changed", changed, received_ns)
    returned = _places(difference.returned)
    yield from reorganised("resync", "events that had vanished are back", returned, received_ns)


def _places(rows: Iterable[Row]) -> list[Cursor]:
    return [row.cursor for row in rows]
