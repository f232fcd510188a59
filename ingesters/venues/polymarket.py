"""
Polymarket's markets, from Gamma: all of them once, what changes after that, and those whose tokens somebody wants.

Three conversations run side by side: the walk over open markets (from end to end, later only its last page, where new
markets appear, and now and then the whole again), the walk over closed ones (to its end, later what closed lately),
and the search for wanted tokens.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from common.clock import NS_PER_S
from common.errors import FeedRefused, WireError
from common.settings import Settings
from common.streams import WANTED_TOKENS
from ingesters.feed import Checkpoint, Fetch, Frame, Recall, Resume, Step
from ingesters.venues.gamma import OFFSET, VENUE, Page, read_page
from ingesters.venues.polymarket_notices import Notices, worded
from ingesters.venues.polymarket_tokens import WantedTokens, tokens_url
from ingesters.venues.polymarket_walks import Progress, Reading, Stage, Walk, closing_times_ns, page_url, read_objects

TOKENS = "tokens:"
WANTED_EVERY_S = 2.0
POLLS_PER_WALK = 20  # open markets are read from end to end once in so many polls
OVERLAP_S = 3600  # a market may show up as closed long after the time that it gives for it

OK = 200
BAD_QUESTION = (400, 422)
NO_ENDPOINT = (404, 405, 410)
ANSWERS = BAD_QUESTION + NO_ENDPOINT


class PolymarketFeed:
    """Asks Gamma page by page; a place is kept with each page, so that a restart goes on from there."""

    venue = VENUE

    def __init__(self, settings: Settings, resume: Resume) -> None:
        self._base = settings.polymarket_gamma_url
        self._searches_by_offset = False
        self._poll_s = settings.polymarket_poll_s
        self._progress = Progress.from_text(resume.state.get("polymarket_cursor", ""))
        self._seen = int(resume.state.get("polymarket_offset", "0")) if "polymarket_cursor" in resume.state else 0
        self._kept: dict[str, str] = {}
        self._walks: dict[Stage, Walk] = {"open": Walk(), "closed": Walk(), "recent": Walk()}
        self._wanted = WantedTokens()
        self._questions = 0
        self._notices = Notices()

    def opening(self) -> Iterator[Step]:
        """Ask for the first page of each walk that has begun, and for the wanted tokens."""
        yield self._ask("open", self._progress.start("open"))
        if self._progress.stage != "open":
            yield self._ask(self._progress.stage, self._progress.start(self._progress.stage))
        yield Recall(WANTED_TOKENS)

    def receive(self, frame: Frame) -> Iterator[Step]:
        """Say what an answer holds; one that is none changes nothing, and the same is asked again."""
        key = frame.reply_to or ""
        if key in self._walks:
            yield from self._page(key, frame) if frame.status == OK else self._refused(key, frame)
        elif key == WANTED_TOKENS:
            yield from self._look_for(frame)
        elif key.startswith(TOKENS):
            yield from self._found(frame)
        else:
            raise WireError(
                VENUE, reason="expected an answer, found bytes that nobody asked for", payload=frame.payload
            )

    def _page(self, stage: Stage, frame: Frame) -> Iterator[Step]:
        walk = self._walks[stage]
        page = read_page(frame.payload, walk.cursor)
        reading = read_objects(page.objects, frame.received_ns)
        if page.objects:
            walk.last_page = walk.cursor
        yield from self._notices.new_fields(frame, page.objects)
        match stage:
            case "open":
                yield from self._open_page(page, reading, frame.received_ns)
            case "closed":
                yield from self._closed_page(page, reading)
            case "recent":
                yield from self._recent_page(page, reading, frame.received_ns)

    def _open_page(self, page: Page, reading: Reading, received_ns: int) -> Iterator[Step]:
        for market in reading.markets:
            if self._progress.is_new(market.market_id):
                self._seen += 1
                self._progress = replace(self._progress, newest_id=market.market_id)
        yield from self._walks["open"].news.of(reading)
        if page.following is not None:
            yield from self._go_on("open", page.following)
        else:
            yield from self._open_ended(received_ns)

    def _open_ended(self, received_ns: int) -> Iterator[Step]:
        if self._progress.stage == "open":
            self._progress = self._progress.begun("closed", received_ns // NS_PER_S)
            yield self._ask("closed", "")
        yield from self._keep()
        walk = self._walks["open"]
        walk.end(received_ns, again_after_ns=int(POLLS_PER_WALK * self._poll_s * NS_PER_S))
        yield self._ask("open", "" if walk.is_whole else walk.last_page, after_s=self._poll_s)

    def _closed_page(self, page: Page, reading: Reading) -> Iterator[Step]:
        walk, counted = self._walks["closed"], self._walks["open"].news
        self._seen += sum(market.market_id not in counted for market in reading.markets)
        walk.newest_ns = max([walk.newest_ns, *closing_times_ns(reading)])
        yield from chain(*reading)
        if page.following is not None:
            yield from self._go_on("closed", page.following)
        else:
            # What closed behind the walk's back did so after it began; by Gamma's own clock, if that is behind ours.
            since_s = min(self._progress.since_s, walk.newest_ns // NS_PER_S)
            self._progress = self._progress.begun("recent", since_s)
            yield from self._keep()
            yield self._ask("recent", "", after_s=self._poll_s)

    def _recent_page(self, page: Page, reading: Reading, received_ns: int) -> Iterator[Step]:
        walk, closed_ns = self._walks["recent"], closing_times_ns(reading)
        from_ns = (self._progress.since_s - OVERLAP_S) * NS_PER_S
        yield from walk.news.of(reading.closed_since(from_ns))
        is_ordered = closed_ns == sorted(closed_ns, reverse=True)
        if not is_ordered:
            detail = "Gamma sorts by closedTime no more: what closes from now on is seen only when its token is wanted"
            yield from self._notices.tell("schema_change", detail, received_ns, once=("order", OK))
        walk.newest_ns = max([walk.newest_ns, *closed_ns])
        if page.following is not None and is_ordered and min(closed_ns, default=received_ns) >= from_ns:
            yield from self._go_on("recent", page.following)
            return
        walk.end(received_ns, again_after_ns=0)
        if is_ordered:
            newest_s = min(walk.newest_ns, received_ns) // NS_PER_S
            self._progress = replace(self._progress, since_s=max(self._progress.since_s, newest_s))
        yield from self._keep()
        yield self._ask("recent", "", after_s=self._poll_s)

    def _go_on(self, stage: Stage, following: str) -> Iterator[Step]:
        if self._progress.stage == stage != "recent":
            self._progress = replace(self._progress, cursor=following)
        yield from self._keep()
        yield self._ask(stage, following)

    def _refused(self, stage: Stage, frame: Frame) -> Iterator[Step]:
        cursor, status = self._walks[stage].cursor, frame.status
        reason = worded(frame)
        if status in NO_ENDPOINT and not cursor.startswith(OFFSET):
            detail = f"no /markets/keyset, markets are read by offset, as far as that goes: {reason}"
            yield from self._notices.tell("schema_change", detail, frame.received_ns, once=("keyset", status))
            yield self._ask(stage, self._progress.start(stage, OFFSET))
        elif status in BAD_QUESTION and cursor.startswith(OFFSET):
            # Not the end of the markets: there are more, and we cannot have them.
            detail = f"{stage} markets beyond {cursor} cannot be read: {reason}"
            yield from self._notices.tell("refused", detail, frame.received_ns, once=(stage, status))
            if stage == "open":
                yield from self._open_ended(frame.received_ns)
            else:
                yield self._ask(stage, "", after_s=self._poll_s)
        elif status in BAD_QUESTION and cursor:
            detail = f"the walk over {stage} markets begins again, its cursor is refused: {reason}"
            yield from self._notices.tell("refused", detail, frame.received_ns, once=(f"{stage} cursor", status))
            yield self._ask(stage, "", after_s=self._poll_s)
        else:
            raise FeedRefused(VENUE, reason=reason)

    def _look_for(self, frame: Frame) -> Iterator[Step]:
        for tokens in self._wanted.batches(frame.payload.decode().split(), frame.received_ns):
            for closed in ("false", "true"):
                self._questions += 1
                url = tokens_url(self._base, tokens, closed, by_offset=self._searches_by_offset)
                yield Fetch(key=f"{TOKENS}{self._questions}", url=url, accept=ANSWERS)
        yield Recall(WANTED_TOKENS, after_s=WANTED_EVERY_S)

    def _found(self, frame: Frame) -> Iterator[Step]:
        if frame.status == OK:
            page = read_page(frame.payload, f"{OFFSET}0" if self._searches_by_offset else "")
            yield from chain(*read_objects(page.objects, frame.received_ns))
            yield from self._notices.new_fields(frame, page.objects)
            return
        if frame.status in NO_ENDPOINT:
            self._searches_by_offset = True  # when the tokens are due again
        detail = f"no search by token: {worded(frame)}"
        yield from self._notices.tell("refused", detail, frame.received_ns, once=(TOKENS, frame.status))

    def _ask(self, stage: Stage, cursor: str, after_s: float = 0.0) -> Fetch:
        self._walks[stage].cursor = cursor
        return Fetch(key=stage, url=page_url(self._base, stage, cursor), after_s=after_s, accept=ANSWERS)

    def _keep(self) -> Iterator[Checkpoint]:
        state = {"polymarket_offset": str(self._seen), "polymarket_cursor": self._progress.text()}
        if state != self._kept:
            self._kept = state
            yield Checkpoint("markets", state)
