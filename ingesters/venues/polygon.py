"""
Polymarket's fills from the chain itself: logs of the exchange contracts, asked of any Polygon node.

The subgraph ends with the first contracts; these are the events of the second ones, so both together are every fill
once. Blocks are read in order, as many at once as the node takes, and only when enough others stand on them. What was
told of the newest ones is remembered with their hashes: when a hash has changed, or once a minute in any case (a node
that lags may leave logs out without a word), they are read again: what is not there any more is taken back, and told.
"""

from collections.abc import Iterator

from common.clock import NS_PER_S
from common.errors import BadAnswer, WireError
from common.settings import Settings
from ingesters.feed import Checkpoint, Fetch, Frame, Resume, Step
from ingesters.venues.polygon_answers import headers_of, logs_of, text_of
from ingesters.venues.polygon_corrections import corrections
from ingesters.venues.polygon_logs import header_of, logs_between, number
from ingesters.venues.polygon_memory import Memory, Place
from ingesters.venues.polygon_news import TipWatch, news, reorganised
from ingesters.venues.polygon_rpc import VENUE, Call, Result, Rpc, Trouble
from ingesters.venues.polygon_span import Span
from ingesters.venues.polygon_walk import Inconsistent, Walk
from ingesters.venues.polygon_watch import Watch
from ingesters.venues.polygon_wishes import LOGS as WISHED_LOGS
from ingesters.venues.polygon_wishes import SEEK, ByHand
from ingesters.venues.polygon_wishes import TIMES as WISHED_TIMES

LAST_BLOCK, RECENT = "polygon_last_block", "polygon_recent"
HEAD, FORK, LOGS, TIMES = "head", "fork", "logs", "times"
RECHECK_EVERY_S = 60
SMALLER_AFTER_S = 0.2


class PolygonFeed:
    """One question at a time: where the chain stands, then logs, then the times of their blocks."""

    venue = VENUE

    def __init__(self, settings: Settings, resume: Resume) -> None:
        self._rpc = Rpc(settings.polygon_rpc_url or "")
        self._confirmations = settings.polygon_confirmations
        self._poll_s = settings.polygon_poll_s
        reached = resume.state.get(LAST_BLOCK)
        self._start = settings.polygon_start_block
        self._reached = int(reached) if reached else None
        self._memory = Memory(resume.state.get(RECENT, ""), since=self._reached or 0)
        self._span = Span()
        self._by_hand = ByHand(resume.state, self._span)
        self._was_live = False
        self._tip, self._watch = TipWatch(), Watch()
        self._step = ""
        self._walk = Walk(0, 0, is_again=False)
        self._rechecked_ns: int | None = None
        self._hears = {HEAD: self._on_head, FORK: self._on_fork, LOGS: self._on_logs, TIMES: self._on_times}
        self._hears |= dict.fromkeys((SEEK, WISHED_LOGS, WISHED_TIMES), self._on_wished)

    def opening(self) -> Iterator[Step]:
        """Ask where the chain stands, and whether somebody wants blocks read again."""
        yield self._ask_head()
        yield self._by_hand.recall

    def receive(self, frame: Frame) -> Iterator[Step]:
        """Say what an answer means; where two do not fit together, nothing is taken and all is asked anew."""
        if self._by_hand.is_about(frame.reply_to):
            yield from self._by_hand.hear(frame)
            return
        if frame.reply_to is None or frame.reply_to != self._step:
            raise WireError(
                VENUE, reason="expected an answer, found bytes that nobody asked for", payload=frame.payload
            )
        results = self._rpc.hear(frame)
        if isinstance(results, Fetch):
            yield results
            return
        try:
            yield from self._hears[self._step](results, frame.received_ns)
        except Inconsistent:
            yield self._ask_head(self._poll_s)

    def _ask(self, step: str, *calls: Call, after_s: float = 0.0) -> Fetch:
        self._step = step
        return self._rpc.ask(step, *calls, after_s=after_s)

    def _ask_head(self, after_s: float = 0.0) -> Fetch:
        known = [header_of(place.number) for place in self._memory.places[:1]]
        return self._ask(HEAD, Call("eth_blockNumber"), *known, after_s=after_s)

    def _on_head(self, results: list[Result], received_ns: int) -> Iterator[Step]:
        """Go on, or read again what was told, or wait."""
        confirmed = number(text_of(results[0])) - self._confirmations
        if self._reached is None:
            self._begin(confirmed)
            yield self._checkpoint()
        newest = self._memory.places[:1]
        headers = headers_of(results[1:])
        if newest and headers[0] is None:  # a node that is behind the one that answered before
            yield self._ask_head(self._poll_s)
        elif newest and headers[0] is not None and headers[0].hash != newest[0].hash:
            yield from self._look_for_fork(confirmed)
        elif self._reached is not None:
            yield from self._go_on(confirmed, self._reached, newest, received_ns)

    def _begin(self, confirmed: int) -> None:
        self._reached = max(0, confirmed if self._start is None else self._start - 1)
        self._memory.begin(self._reached)

    def _look_for_fork(self, confirmed: int) -> Iterator[Step]:
        """Ask for the newest block that stands, as soon as what replaced the others is confirmed."""
        if confirmed < (self._reached or 0):
            yield self._ask_head(self._poll_s)
        else:
            yield self._ask(FORK, *(header_of(place.number) for place in self._memory.places))

    def _on_fork(self, results: list[Result], received_ns: int) -> Iterator[Step]:
        places = self._memory.places
        headers = headers_of(results)
        if None in headers:
            raise Inconsistent
        standing = [p for p, header in zip(places, headers, strict=True) if header and header.hash == p.hash]
        if not standing:
            times_ns = [place.timestamp * NS_PER_S for place in places]
            detail = f"reorg: it goes back further than block {self._memory.since + 1}, where what is remembered begins"
            yield news("gap", detail, from_ns=min(times_ns), to_ns=max(times_ns), received_ns=received_ns)
        after = standing[0].number if standing else self._memory.since
        yield self._set_out(Walk(after, places[0].number, is_again=True))

    def _go_on(self, confirmed: int, reached: int, newest: list[Place], received_ns: int) -> Iterator[Step]:
        wished = self._by_hand.question(self._memory.since)
        self._was_live = is_live = confirmed > reached and not (wished and self._was_live)  # else in turn
        if self._wants_recheck(received_ns):
            yield self._set_out(Walk(self._memory.since, reached, is_again=True))
        elif wished and not is_live:
            step, calls = wished
            yield self._ask(step, *calls)
        elif is_live:
            yield self._set_out(Walk(reached, min(confirmed, reached + self._span.blocks), is_again=False))
        else:
            for tip in newest:
                yield from self._tip.look(tip, received_ns)
            yield self._ask_head(self._poll_s)

    def _wants_recheck(self, received_ns: int) -> bool:
        if self._rechecked_ns is None:
            self._rechecked_ns = received_ns
        is_due = received_ns - self._rechecked_ns >= RECHECK_EVERY_S * NS_PER_S or not self._memory.is_named
        if not self._memory.places or not is_due:
            return False
        self._rechecked_ns = received_ns
        return True

    def _set_out(self, walk: Walk) -> Fetch:
        self._walk = walk
        return self._ask_logs()

    def _ask_logs(self, after_s: float = 0.0) -> Fetch:
        walk = self._walk
        last = min(walk.until, walk.at + self._span.blocks)
        # The block at the end of the range is asked for as well: a node that does not have it left logs out.
        return self._ask(LOGS, logs_between(walk.at + 1, last), header_of(last), after_s=after_s)

    def _on_logs(self, results: list[Result], received_ns: int) -> Iterator[Step]:
        found, last = results
        if isinstance(found, Trouble):
            if not self._span.shrink():
                raise BadAnswer(VENUE, reason=f"logs of one block: {found}")
            yield self._ask_logs(SMALLER_AFTER_S)
            return
        logs, (until,) = logs_of(found), headers_of([last])
        self._walk.take_logs(logs, until)
        yield from self._watch.look(found, last, received_ns)
        self._span.learn(len(logs))
        if not self._walk.is_read:
            yield self._ask_logs()
        elif blocks := self._walk.blocks_without_time():
            yield self._ask(TIMES, *map(header_of, blocks))
        else:
            yield from self._tell(received_ns)

    def _on_times(self, results: list[Result], received_ns: int) -> Iterator[Step]:
        headers = headers_of(results)
        self._walk.take_headers(self._walk.blocks_without_time(), headers)
        yield from self._tell(received_ns)

    def _on_wished(self, results: list[Result], received_ns: int) -> Iterator[Step]:
        yield from self._by_hand.answer(self._step, results, received_ns)
        yield self._ask_head()

    def _tell(self, received_ns: int) -> Iterator[Step]:
        """Yield what is new in the blocks that were read, and how they differ from what was told of them."""
        walk, places = self._walk, self._walk.places()
        difference = self._memory.compare(walk.fills(), places, after=walk.after, until=walk.at)
        yield from corrections(difference, received_ns)
        yield from self._watch.records(difference.late, received_ns, are_late=walk.is_again)
        if not walk.is_again:
            yield from self._watch.quiet(difference.late, places, received_ns)
        self._reached = max(walk.at, self._reached or 0)
        yield self._checkpoint()
        yield from reorganised(difference if walk.is_again else difference._replace(late=[]), places, received_ns)
        yield self._ask_head()

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint("order_events", {LAST_BLOCK: str(self._reached), RECENT: self._memory.save()})
