"""Alerts muted for a while, heard again, and a message sent to try who is told."""

import asyncio
import re
from collections.abc import Mapping, Sequence

from common.clock import NS_PER_S, now_ns
from common.redis_streams import Redis
from monitoring.alert_rules import RULES
from monitoring.alerting import MUTED
from monitoring.doing.deeds import Deed, NotDone
from monitoring.doing.subjects import stranger_of
from monitoring.notifiers import Message, Notifier, NotTold
from monitoring.prompts import fleet

LENGTH = re.compile(r"([1-9][0-9]{0,3})([mhd])")
S_OF_UNIT = {"m": 60, "h": 3600, "d": 86_400}


async def muting(redis: Redis, what: str, length: str) -> Deed:
    """
    Return the deed that lets nobody be told of a rule, or of one subject of it; a length of 0 ends that.

    A subject that nothing is called now is muted all the same, as it may come up, and the deed says so.
    """
    rule, has_subject, subject = what.partition("|")
    if rule not in {known.name for known in RULES}:
        raise NotDone(f"expected a rule of {', '.join(known.name for known in RULES)}, found {rule!r}")
    if has_subject and not subject:
        raise NotDone(f"expected a rule, or rule|subject, found {what!r}")
    seconds = seconds_of(length)
    until = await redis.hget(MUTED, what)
    is_muted = until is not None and float(until) > now_ns() / NS_PER_S
    stranger = await stranger_of(redis, rule, subject) if has_subject and seconds else ""

    async def run() -> str:
        if not seconds:
            await redis.hdel(MUTED, what)
            return "heard"
        await redis.hset(MUTED, what, f"{now_ns() / NS_PER_S + seconds:.0f}")
        return f"quiet for {length}{f': {stranger}' if stranger else ''}"

    return Deed(
        action="mute" if seconds else "unmute",
        subject=what,
        command=fleet("alerts", "mute", what, length),
        run=run,
        touches=((what, "quiet now" if is_muted else "heard now"), *((("unknown now", stranger),) if stranger else ())),
        words="Nobody is told when it begins or ends; it is shown and written down all the same.",
        before="quiet" if is_muted else "heard",
        refusal="" if seconds or is_muted else "it is not muted",
    )


def seconds_of(length: str) -> int:
    """Return how long a time such as 30m, 8h or 7d is, 0 for 0; raise NotDone for what is none."""
    if length == "0":
        return 0
    found = LENGTH.fullmatch(length)
    if found is None:
        raise NotDone(f"expected a time such as 30m, 8h or 7d, or 0, found {length!r}")
    return int(found[1]) * S_OF_UNIT[found[2]]


def trying(ways: Sequence[Notifier]) -> Deed:
    """Return the deed that sends a message to everybody who would be told of an alert."""

    async def run() -> str:
        return told(await faults_of(ways))

    return Deed(
        action="test alerts",
        subject=", ".join(way.name for way in ways),
        command="./fleet alerts test",
        run=run,
        touches=tuple((way.name, "gets a message that says it is a test") for way in ways),
        refusal=""
        if ways
        else "nobody would be told: set NOTIFICATION_URL, TELEGRAM_TOKEN and TELEGRAM_CHAT_ID, or NOTIFY_URLS",
    )


async def faults_of(ways: Sequence[Notifier]) -> dict[str, str]:
    """Send a message that says it is a test; return why each did not take it, empty where it did."""
    return {way.name: await asyncio.to_thread(_fault_of, way) for way in ways}


def _fault_of(way: Notifier) -> str:
    try:
        way.send(Message("Tickfleet", "this is a test", {"event": "test"}))
    except NotTold as error:
        return str(error)
    return ""


def told(faults: Mapping[str, str]) -> str:
    """Return in words who took a message."""
    return "; ".join(f"{name}: {fault or 'told'}" for name, fault in faults.items())
