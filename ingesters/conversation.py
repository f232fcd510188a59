"""One connection to a venue: every frame is heard, every step carried out."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from common.clock import now_ns
from common.errors import BadAnswer, FeedRefused, WireError, WireLost
from common.lifecycle import wait
from common.log import logger
from common.records import DeadLetter, FeedEvent, Record
from ingesters.feed import Checkpoint, Dial, Fetch, Forget, Frame, Recall, Resume, Send, Step, Wake, hear
from ingesters.ingester import CONNECTION, Ingester, connection_event
from ingesters.mailbox import Mailbox
from ingesters.questions import OURS, Questions
from ingesters.recording import keep_recording, write
from ingesters.tape import Tape
from ingesters.unheard import Unheard
from ingesters.web import Web
from ingesters.wires import Wires

WATCH_EVERY_S, FULL_PAUSE_S = 1.0, 0.01
NEVER_S = 7 * 86_400.0  # for a reader: no silence of a closed market is as long
NOT_DATA = (FeedEvent, DeadLetter)

log = logger("ingest")


class Conversation:
    """One connection to a venue, from the first step to the last frame."""

    def __init__(self, work: Ingester, resume: Resume) -> None:
        self.brought_data = False
        self._work = work
        self._figures = work.figures
        self._feed = work.venue.feed(work.settings, resume)
        self._mailbox = Mailbox()
        has_spares = work.venue.has_spares(work.settings)
        self._wires = Wires(work.venue.name, self._mailbox, has_spares=has_spares, tell=self._spared)
        web = Web(work.venue.answer_s)
        self._questions = Questions(web, work.allowance, work.redis, self._mailbox, work.figures)
        self._unheard = Unheard(work, self._questions)
        self._stale: set[str] = set()
        self._heard_ns = self._spoke_ns = 0
        self._tape = Tape(work.shelf)
        self._puts: dict[type, Callable[[Any], None]] = {**work.sink.puts, FeedEvent: self._put_event}
        self._ended_by = "the program ended"

    async def hold(self, stop: asyncio.Event) -> None:
        """Talk until told to stop; raise WireLost or FeedRefused when the venue ends it."""
        await keep_recording(self._tape, self._work)  # a session from its first frame on
        watching = asyncio.create_task(self._watch(stop))
        try:
            for step in self._feed.opening():
                if self._mailbox.lost is None:
                    await self._do(step)
            while True:
                await self._hear_all(await self._mailbox.take())
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
        for channel in self._stale:
            self._figures.works(channel)
        if self._heard_ns:
            self._work.sink.put(connection_event(self._work, "disconnected", self._heard_ns, self._ended_by))
        write(self._tape, self._work)

    async def _hear_all(self, frames: list[Frame]) -> None:
        """Hear frames in their order: the hot path, tens of thousands a second in a busy market."""
        counters = self._figures.counters
        counters["frames_total"] += len(frames)
        counters["bytes_in_total"] += self._mailbox.taken_bytes
        self._note_life(frames)
        if self._tape.is_on:
            self._tape.heard(frames, self._questions.asked)
        feed, puts, silent = self._feed, self._puts, 0
        for frame in frames:
            try:
                steps = hear(feed, frame)
            except (WireError, BadAnswer, WireLost) as error:
                self._could_not_hear(frame, error)
                continue
            if frame.reply_to is not None:
                self._unheard.answered(frame.reply_to)
            if not self.brought_data:
                self._judge(frame, steps)
            silent += not steps
            for step in steps:
                put = puts.get(type(step))
                if put is not None:
                    put(step)
                else:
                    await self._do(step)
        counters["frames_without_news_total"] += silent  # repeats, signs of life, answers to commands

    def _note_life(self, frames: list[Frame]) -> None:
        """Keep in mind when the venue was last heard, and say when it was heard first."""
        if not self._heard_ns and (first := next((frame for frame in frames if frame.wire != OURS), None)):
            self._connected(first)
        if last := next((frame for frame in reversed(frames) if frame.wire != OURS), None):
            self._heard_ns = last.received_ns
        if self._work.has_sockets:  # no answer over HTTP ends the silence of a socket
            last = next((frame for frame in reversed(frames) if frame.reply_to is None), None)
        self._spoke_ns = last.received_ns if last else self._spoke_ns

    def _could_not_hear(self, frame: Frame, error: WireError | BadAnswer | WireLost) -> None:
        if not isinstance(error, WireLost):
            self._unheard.take(frame, error)
        elif not self._wires.leave(frame.wire):  # announced by the venue; what came with it is still heard
            self._mailbox.lose(error)

    def _connected(self, frame: Frame) -> None:
        self._figures.works(CONNECTION)
        words = f"first answer, to {frame.reply_to}" if frame.reply_to else f"first frame from {frame.wire}"
        self._work.sink.put(connection_event(self._work, "connected", frame.received_ns, words))

    def _spared(self, detail: str) -> None:
        """Tell that one of two sockets ended, and that nothing is missing."""
        self._figures.counters["sockets_spared_total"] += 1
        log.info("ingest.spared", venue=self._work.venue.name, detail=detail)
        event = connection_event(self._work, "connected", now_ns(), detail)
        self._work.sink.put(msgspec.structs.replace(event, channel="spare"))

    def _put_event(self, event: FeedEvent) -> None:
        """Count what a user must know, and keep what is stale in sight."""
        self._work.sink.put(event)
        self._figures.counters[f"feed_events_total|{event.kind}"] += 1
        if event.kind == "stale":
            self._figures.waits(event.channel, f"stale: {event.detail}")
            self._stale.add(event.channel)
        elif event.kind == "resync":
            self._figures.works(event.channel)

    def _judge(self, frame: Frame, steps: Sequence[Step]) -> None:
        """See whether the connection is worth anything: questions may go well while every socket is cut."""
        is_live = frame.reply_to is None or self._wires.are_none
        data = (step for step in steps if isinstance(step, Record) and not isinstance(step, NOT_DATA))
        self.brought_data = is_live and any(True for _ in data)

    async def _do(self, step: Step) -> None:
        match step:
            case Dial():
                await self._dial(step)
            case Send():
                self._tape.sent(step)
                self._wires.send(step)
            case Fetch() | Wake() | Recall() | Forget():
                self._tape.asked(step)
                self._questions.put(step)
            case Checkpoint():
                self._work.sink.checkpoint(step.topic, step.state)
            case Record():
                self._puts[type(step)](step)

    async def _dial(self, step: Dial) -> None:
        self._tape.dialled(step)
        self._work.has_sockets = True
        try:
            await self._wires.dial(step)
        except WireLost as error:
            self._mailbox.lose(error)

    async def _hold_back(self, stop: asyncio.Event) -> None:
        """Let the sink and the sockets have their turn; read no further while neither Redis nor the spool keeps up."""
        self._work.sink.divide()
        await asyncio.sleep(0)
        since_ns = 0
        while self._work.sink.is_full and not stop.is_set():
            since_ns = since_ns or now_ns()
            self._wires.pause()
            await asyncio.sleep(FULL_PAUSE_S)
        if since_ns:
            self._work.sink.tell_unread(since_ns)
        if not self._mailbox.is_full:
            self._wires.resume()

    async def _watch(self, stop: asyncio.Event) -> None:
        """Look once a second whether a socket is dead or mute, and whether we are told to stop."""
        while not await wait(stop, WATCH_EVERY_S):
            if self._spoke_ns:  # a new connection on which nothing is heard yet does not end the silence
                self._figures.gauges["last_frame_ns"] = self._spoke_ns
            mute_s = self._work.venue.mute_s(self._work.settings)
            self._figures.gauges |= {"buffered_bytes": self._work.sink.waiting_bytes, "mute_s": min(mute_s, NEVER_S)}
            await keep_recording(self._tape, self._work)
            try:
                self._wires.judge(dead_s=self._work.venue.dead_s, mute_s=mute_s)
            except WireLost as error:
                self._mailbox.lose(error)
        self._mailbox.lose(WireLost(self._work.venue.name, reason="told to stop"))
