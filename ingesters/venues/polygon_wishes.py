"""
Fills of the chain that somebody wants read again, by the time of their blocks.

First the block of that moment is looked for, then logs are read as along the head: a question at a time, in turn with
those for new blocks. A fill that stands is known by its id, and left out.
"""

from collections.abc import Iterator, Mapping, Sequence

from common.clock import NS_PER_S
from common.errors import BadAnswer
from ingesters.feed import Step
from ingesters.venues.event_errands import EventErrands, late
from ingesters.venues.polygon_answers import headers_of, logs_of, record_of
from ingesters.venues.polygon_logs import header_of, logs_between, number
from ingesters.venues.polygon_news import CHANNEL
from ingesters.venues.polygon_rpc import VENUE, Call, Result, Trouble
from ingesters.venues.polygon_search import Search
from ingesters.venues.polygon_span import Span
from ingesters.venues.polygon_walk import Walk

SEEK, LOGS, TIMES = "wish:block", "wish:logs", "wish:times"


class ByHand(EventErrands):
    """The wishes for the chain; `span` is how many blocks the endpoint takes at once."""

    def __init__(self, state: Mapping[str, str], span: Span) -> None:
        super().__init__(VENUE, state, CHANNEL)
        self._span = span
        self._search: Search | None = None
        self._walk: Walk | None = None

    def question(self, newest: int) -> tuple[str, Sequence[Call]] | None:
        """Return what to ask now, if anything; `newest` is the last block that is not looked at again anyway."""
        part = self._errands.part
        if self._errands.wish is None or part is None:
            return None
        if self._walk is not None:
            return TIMES, [header_of(block) for block in self._walk.blocks_without_time()]
        if not self._errands.place:
            self._search = self._search or Search(-(-part[0] // NS_PER_S), newest)
            return SEEK, [header_of(self._search.guess)]
        first = int(self._errands.place) + 1
        last = min(max(newest, first), first + self._span.blocks - 1)
        return LOGS, [logs_between(first, last), header_of(last)]

    def answer(self, step: str, results: list[Result], received_ns: int) -> Iterator[Step]:
        """
        Say what results bring.

        Raises:
            BadAnswer: an error in their place, or logs of a single block are too many.
            Inconsistent: two of them speak of different chains; the same is asked again.
        """
        if step == SEEK:
            yield from self._seek(results)
        elif step == LOGS:
            yield from self._logs(results, received_ns)
        elif self._walk is not None:
            walk, self._walk = self._walk, None
            walk.take_headers(walk.blocks_without_time(), headers_of(results))
            yield from self._tell(walk, received_ns)

    def _seek(self, results: list[Result]) -> Iterator[Step]:
        search, (header,) = self._search, headers_of(results)
        if search is None:
            return
        search.hear(None if header is None else number(header.timestamp))
        if search.is_done:
            first, _ = self._errands.part or (0, 0)
            self._errands.reach(first, str(search.low))
            self._search = None
            yield self._checkpoint()

    def _logs(self, results: list[Result], received_ns: int) -> Iterator[Step]:
        found, last = results
        if isinstance(found, Trouble):
            if not self._span.shrink():
                raise BadAnswer(VENUE, reason=f"logs of one block: {found}")
            return
        logs, (header,) = logs_of(found), headers_of([last])
        after = int(self._errands.place)
        walk = Walk(after, number(header.number) if header else after, is_again=False)
        walk.take_logs(logs, header)
        self._span.learn(len(logs))
        if walk.blocks_without_time():
            self._walk = walk
        else:
            yield from self._tell(walk, received_ns)

    def _tell(self, walk: Walk, received_ns: int) -> Iterator[Step]:
        for fill in walk.fills():
            if self._errands.wants(fill.id, fill.timestamp * NS_PER_S):
                yield late(record_of(fill, received_ns))
        last_ns = walk.places()[-1].timestamp * NS_PER_S
        _, stop = self._errands.part or (0, 0)
        if last_ns < stop:
            self._errands.reach(last_ns, str(walk.at))
        else:
            self._errands.leave_part()
        yield from self._go_on(received_ns)
