"""Every look at the fleet is held against the rules; what changes is written down once and told once."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import msgspec

from common.clock import NS_PER_S, now_ns
from common.errors import TickfleetError
from common.log import logger
from common.records import Alert
from common.redis_facts import read_state
from common.redis_streams import Redis, RedisError
from common.settings import Settings
from common.streams import ALERTS, KEY_FIGURES
from monitoring.alarms import Alarm, Alarms, Change
from monitoring.alert_facts import Gathering
from monitoring.alert_rules import RULES
from monitoring.alert_terms import Rule, Thresholds
from monitoring.journal import Journal
from monitoring.notices import Programs
from monitoring.notifiers import Message, Post
from monitoring.overview import house_of
from monitoring.trouble import Trouble
from monitoring.watch import Snapshot, Watch

STATE = "alerts"  # what fires, as JSON, in one transaction with its history
MUTED = "alerts:muted"  # rule or rule|subject -> until when, in s

OURS = (KEY_FIGURES.topic,)  # tables that are no news to anybody: they grow by themselves

log = logger("alerts")


class Alerting:
    """The alarms of one fleet, from the first look to the last."""

    def __init__(
        self,
        settings: Settings,
        redis: Redis,
        watch: Watch,
        post: Post,
        programs: Programs,
        rules: Sequence[Rule] = RULES,
    ) -> None:
        self._rules = rules
        self._redis = redis
        self._watch = watch
        self._post = post
        self._programs = programs
        self._gathering = Gathering(settings, house_of(settings))
        self._limits = Thresholds(
            lag_s=settings.alert_lag_s,
            gaps_per_10_min=settings.alert_gaps_per_10_min,
            disk_free=settings.alert_disk_free,
            clock_skew_s=settings.alert_clock_skew_s,
        )
        self._alarms = Alarms(self._limits, rules)
        self._journal = Journal(redis, ALERTS, settings)
        self._has_resumed = False

    async def run(self) -> None:
        """Look at every snapshot, as long as there are any."""
        number, trouble = self._watch.snapshot.number, Trouble(log, "alerts.waiting")
        while (shot := await self._watch.newer_than(number)) is not None:
            number = shot.number
            try:
                await self._look(shot)
            except (RedisError, TickfleetError) as error:  # tried again with the next look
                trouble.lasts(error)
            else:
                trouble.is_over()

    async def _look(self, shot: Snapshot) -> None:
        if not self._has_resumed and shot.redis_problem is None:
            await self._resume()
        facts = self._gathering.facts(shot, self._programs.seen, self._programs.crashed)
        changes = self._alarms.look(facts, now_ns() / NS_PER_S)
        for change in changes:
            if not await self._is_muted(change):
                self._post.put(message_of(change))
        self._journal.put(map(_record, changes))
        if self._has_resumed:
            firing = msgspec.json.encode([asdict(alarm) for alarm in self._alarms.firing]).decode()
            await self._journal.write({STATE: firing})

    async def _resume(self) -> None:
        """Go on with what fired when the last dashboard ended, so that nothing is told a second time."""
        await self._journal.claim()
        held = await read_state(self._redis, (STATE,))
        firing = msgspec.json.decode(held.get(STATE, "[]"), type=list[Alarm])
        self._alarms = Alarms(self._limits, self._rules, firing=[*firing, *self._alarms.firing])
        self._has_resumed = True

    async def _is_muted(self, change: Change) -> bool:
        try:
            rule, subject = change.alarm.key
            until = await self._redis.hmget(MUTED, [rule, f"{rule}|{subject}"])
        except RedisError:
            return False
        return any(float(end) > now_ns() / NS_PER_S for end in until if end)


def message_of(change: Change) -> Message:
    """Return what is told of a change."""
    alarm, is_over = change.alarm, change.state == "over"
    title = f"{'over: ' if is_over else ''}{alarm.rule}: {alarm.subject}"
    words = f"was {alarm.words}" if is_over else alarm.words
    return Message(
        title, words, {"event": "alert", "state": change.state, "rule": alarm.rule, "subject": alarm.subject}
    )


def _record(change: Change) -> Alert:
    alarm = change.alarm
    return Alert(
        venue="",
        symbol="",
        received_ns=now_ns(),
        rule=alarm.rule,
        subject=alarm.subject,
        state=change.state,
        words=alarm.words,
        since_ns=int(alarm.since_s * NS_PER_S),
    )


async def tell_new_data(settings: Settings, watch: Watch, post: Post, stop: asyncio.Event) -> None:
    """Tell the webhook from time to time how many rows of each table have come to stand."""
    before: dict[str, int] = {}
    while not stop.is_set():
        try:
            async with asyncio.timeout(settings.notification_every_s):
                await stop.wait()
        except TimeoutError:
            rows = _rows(watch.snapshot)
            if fresh := fresh_rows(before, rows):
                words = ", ".join(f"{name} {count:,}" for name, count in fresh.items())
                post.put(Message("new data", words, {"event": "new_data", "tables": fresh}))
            before |= rows


def fresh_rows(before: Mapping[str, int], rows: Mapping[str, int]) -> dict[str, int]:
    """Return how many rows of each table are new; of one that was not known before nobody can say."""
    return {name: count - before[name] for name, count in rows.items() if count > before.get(name, count)}


def _rows(shot: Snapshot) -> dict[str, int]:
    tables = shot.store.tables if shot.store else ()
    return {table.name: table.rows for table in tables if table.rows is not None and table.name not in OURS}
