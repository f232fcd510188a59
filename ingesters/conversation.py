"""One connection to a venue: every frame is heard, every step carried out."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from common.backoff import delays_s
from common.clock import now_ns
from common.codec import Origin, dead_letter
from common.errors import BadAnswer, FeedRefused, WireError, WireLost
from common.heartbeat import Figures
from common.lifecycle import wait
from common.log import logger
from common.records import DeadLetter, EventKind, FeedEvent, Record
from common.redis_streams import Redis
from common.settings import Settings
from ingesters.allowance import Allowance
from ingesters.feed import Checkpoint, Dial, Fetch, Forget, Frame, Recall, Resume, Send, Step, hear
from ingesters.mailbox import Mailbox
from ingesters.questions import Questions
from ingesters.sink import Sink
from ingesters.venue import Venue
from ingesters.web import Web
from ingesters.wires import Wires

log = logger("ingest")

WATCH_EVERY_S = 1.0
FULL_PAUSE_S = 0.01
NOT_DATA = (FeedEvent, DeadLetter)


@dataclass
class Ingester:
    """What a venue's program works with."""

    venue: Venue
    settings: Settings
    redis: Redis
    sink: Sink
    figures: Figures
    allowance: Allowance


def connection_event(work: Ingester, kind: EventKind, from_ns: int, detail: str) -> FeedEvent:
    """Return what has happened to a connection, from then until now."""
    now = now_ns()
    return FeedEvent(
        work.venue.name, "", now, channel="connection", kind=kind, from_ns=from_ns, to_ns=now, detail=detail
    )


class Conversation:
    """One connection to a venue, from the first step to the last frame."""

    def __init__(self, work: Ingester, resume: Resume) -> None:
        self.brought_data = False
        self._work = work
        self._figures = work.figures
        self._feed = work.venue.feed(work.settings, resume)
        self._mailbox = Mailbox()
        self._wires = Wires(work.venue.name, self._mailbox)
        web = Web(work.venue.answer_s)
        self._questions = Questions(web, work.allowance, work.redis, self._mailbox, work.figures)
        self._pauses: dict[str, Iterator[float]] = {}  # of questions that got no good answer, by key
        self._heard_ns = 0
        self._ended_by = "the program ended"

    async def hold(self, stop: asyncio.Event) -> None:
        """Talk until told to stop; raise WireLost or FeedRefused when the venue ends it."""
        watching = asyncio.create_task(self._watch(stop))
        try:
            for step in self._feed.opening():
                if self._mailbox.lost is None:
                    await self._do(step)
            while True:
                for frame in await self._mailbox.take():
                    await self._hear(frame)
                self._questions.check()
                await self._hold_back(stop)
        except (WireLost, FeedRefused) as error:
            self._ended_by = str(error)
            raise
        finally:
            watching.cancel()

    async def end(self) -> None:
        """Close what is open, and write down when the connection was lost."""
        self._wires.hang_up()
        await self._questions.close()
        if self._heard_ns:
            self._work.sink.put(connection_event(self._work, "disconnected", self._heard_ns, self._ended_by))

    async def _hear(self, frame: Frame) -> None:
        counters = self._figures.counters
        counters["frames_total"] += 1
        counters["bytes_in_total"] += len(frame.payload)
        if not self._heard_ns:
            self._figures.state, self._figures.detail = "running", ""
            self._work.sink.put(
                connection_event(self._work, "connected", frame.received_ns, f"first frame from {frame.wire}")
            )
        self._heard_ns = frame.received_ns
        try:
            steps = hear(self._feed, frame)
        except WireError as error:
            self._set_aside(error, frame)
            self._ask_again(frame, str(error), None)
        except BadAnswer as error:
            self._ask_again(frame, str(error), error.retry_after_s)
        except WireLost as error:  # announced by the venue; what came with it is still heard
            self._mailbox.lose(error)
        else:
            await self._carry_out(frame, steps)

    async def _carry_out(self, frame: Frame, steps: list[Step]) -> None:
        if frame.reply_to is not None:
            self._questions.asked.pop(frame.reply_to, None)
            self._pauses.pop(frame.reply_to, None)
        is_live = frame.reply_to is None or self._wires.are_none  # questions may go well while every socket is cut
        for step in steps:
            if isinstance(step, Record):
                self._put(step)
                self.brought_data = self.brought_data or (is_live and not isinstance(step, NOT_DATA))
            else:
                await self._do(step)

    def _put(self, record: Record) -> None:
        if isinstance(record, FeedEvent):
            self._figures.counters[f"feed_events_total|{record.kind}"] += 1
        self._work.sink.put(record)

    async def _do(self, step: Step) -> None:
        match step:
            case Dial():
                await self._dial(step)
            case Send():
                self._wires.send(step)
            case Fetch():
                self._questions.ask(step)
            case Recall():
                self._questions.recall(step)
            case Forget():
                self._questions.forget(step)
            case Checkpoint():
                self._work.sink.checkpoint(step.topic, step.state)
            case Record():
                self._put(step)

    async def _dial(self, step: Dial) -> None:
        try:
            await self._wires.dial(step)
        except WireLost as error:
            self._mailbox.lose(error)

    def _set_aside(self, error: WireError, frame: Frame) -> None:
        if frame.reply_to is not None and frame.reply_to in self._pauses:
            return  # the same bad answer again; the first one is kept
        venue = self._work.venue
        place = f"{frame.wire} {frame.reply_to or ''} {frame.received_ns}"
        origin = Origin(venue.program, "", place, frame.received_ns, venue.name)
        self._work.sink.put(dead_letter(error.payload, origin, reason=error.reason))
        self._figures.failed(error)
        self._figures.counters["dead_letters_total"] += 1
        log.warning("ingest.unreadable", venue=venue.name, reason=error.reason, bytes=len(error.payload))

    def _ask_again(self, frame: Frame, reason: str, retry_after_s: float | None) -> None:
        fetch = self._questions.asked.get(frame.reply_to or "")
        if fetch is None:
            return
        pause_s = retry_after_s or next(self._pauses.setdefault(fetch.key, delays_s()))
        self._figures.failed(reason)
        log.warning("ingest.asking_again", key=fetch.key, pause_s=round(pause_s, 2), reason=reason)
        self._questions.ask(fetch, pause_s=pause_s)

    async def _hold_back(self, stop: asyncio.Event) -> None:
        """Let the sink and the sockets have their turn; read no further while Redis does not keep up."""
        await asyncio.sleep(0)
        while self._work.sink.is_full and not stop.is_set():
            self._wires.pause()
            await asyncio.sleep(FULL_PAUSE_S)
        self._wires.resume()

    async def _watch(self, stop: asyncio.Event) -> None:
        """Look once a second whether a socket is dead or mute, and whether we are told to stop."""
        while not await wait(stop, WATCH_EVERY_S):
            self._figures.gauges["last_frame_ns"] = self._heard_ns
            self._figures.gauges["buffered_bytes"] = self._work.sink.waiting_bytes
            try:
                self._wires.judge(dead_s=self._work.venue.dead_s, mute_s=self._work.venue.mute_s(self._work.settings))
            except WireLost as error:
                self._mailbox.lose(error)
        self._mailbox.lose(WireLost(self._work.venue.name, reason="told to stop"))
