"""What the ingest loop does with a polling feed, without sockets, clocks or Redis."""

import heapq
from collections.abc import Callable
from itertools import count

from common.errors import BadAnswer
from common.records import FeedEvent, Record
from ingesters.feed import Checkpoint, Feed, Fetch, Forget, Frame, Recall, Resume, Step, Wake, hear

START_S = 1_760_000_000
SECOND_NS = 10**9

Answer = Callable[[Fetch, int], tuple[int, bytes]]


class FeedLoop:
    """
    One ingester and its streams: what an answer means is appended with its checkpoint, as one, or not at all.

    Time passes as the feed asks for it.
    """

    def __init__(self, feed: Callable[[Resume], Feed], answer: Answer) -> None:
        self.state: dict[str, str] = {}
        self.words: set[str] = set()
        self.sets: dict[str, set[str]] = {}  # those that have a name; all others are `words`
        self.records: list[Record] = []
        self.fetched: list[str] = []
        self.now_ns = START_S * SECOND_NS
        self._feed_of = feed
        self._answer = answer
        self._numbers = count()
        self.start()

    def start(self) -> None:
        """Begin as a new process would, with nothing but the kept state."""
        self.feed = self._feed_of(Resume(dict(self.state)))
        self._due: list[tuple[int, int, Fetch | Recall | Wake]] = []
        self._ask(list(self.feed.opening()))

    def turn(self, *, spoil: bytes | None = None, is_killed: bool = False) -> None:
        """Let one question be answered, or spoilt; a kill comes before anything is appended."""
        due_ns, _, asked = heapq.heappop(self._due)
        self.now_ns = max(self.now_ns, due_ns)
        if isinstance(asked, Recall):
            status, body = 200, "\n".join(sorted(self.sets.get(asked.key, self.words))).encode()
        elif isinstance(asked, Wake):
            status, body = 200, b""
        else:
            self.fetched.append(asked.url)
            status, body = self._answer(asked, self.now_ns) if spoil is None else (200, spoil)
            assert status == 200 or status in asked.accept
        try:
            steps = hear(self.feed, Frame(self.now_ns, body, reply_to=asked.key, status=status))
        except BadAnswer:
            self._ask([asked._replace(after_s=0.5)])
            return
        if is_killed:
            self.start()
            return
        self.records += [step for step in steps if isinstance(step, Record)]
        for step in steps:
            if isinstance(step, Checkpoint):
                self.state |= step.state
            elif isinstance(step, Forget) and step.key in self.sets:
                self.sets[step.key] -= set(step.words)
        self._ask(steps)

    def run_for(self, seconds: float) -> None:
        """Answer everything that is asked in the next seconds."""
        until_ns = self.now_ns + int(seconds * SECOND_NS)
        while self._due[0][0] <= until_ns:
            self.turn()
        self.now_ns = until_ns

    def told(self) -> list[tuple[str, str]]:
        """Return the kind and detail of everything a user was told."""
        return [(record.kind, record.detail) for record in self.records if isinstance(record, FeedEvent)]

    def _ask(self, steps: list[Step]) -> None:
        for step in steps:
            if isinstance(step, Fetch | Recall | Wake):
                heapq.heappush(self._due, (self.now_ns + int(step.after_s * SECOND_NS), next(self._numbers), step))
