"""/alerts: what fires, what did, by which rules, and what is to be quiet."""

from collections.abc import Mapping
from dataclasses import dataclass

from common.clickhouse import Store
from common.clock import NS_PER_S
from common.redis_streams import Redis
from common.settings import Settings
from monitoring.alert_rules import MEMORY_FULL, RESTARTS, RULES, SOON_S
from monitoring.alerting import MUTED
from monitoring.desk import Answer, AsOf, Desk
from monitoring.firing import alarms_of
from monitoring.page import Look, Nothing
from monitoring.verdicts import age_words
from monitoring.watch import Snapshot

EVERY_S = 3.0
MUTES_EVERY_S = 1.0
HISTORY = """
SELECT rule, subject, state, words, toUnixTimestamp64Nano(received_time) AS received_ns,
       toUnixTimestamp64Nano(since_time) AS since_ns
FROM alerts ORDER BY received_time DESC, offset DESC LIMIT 100 SETTINGS max_execution_time = 4
"""


@dataclass(frozen=True)
class Firing:
    """An alarm that fires; `muted_s` is for how long nobody is told of it, None if it is heard."""

    rule: str
    subject: str
    words: str
    lasts_s: float
    muted_s: float | None


@dataclass(frozen=True)
class Past:
    """An alarm began or ended."""

    rule: str
    subject: str
    state: str
    words: str
    received_ns: int
    age_s: float
    lasted_s: float


@dataclass(frozen=True)
class RuleRow:
    """A rule, its limit in words, how long it must last and be away; `firing` is how many alarms of it fire."""

    name: str
    words: str
    limit: str
    setting: str
    after_s: float
    clear_s: float
    firing: int | None
    muted_s: float | None


@dataclass(frozen=True)
class Mute:
    """A rule, or rule|subject, of which nobody is told for a while."""

    what: str
    left_s: float


@dataclass(frozen=True)
class Alerts:
    """All of it; `firing` is None where Redis has not been read. `ways` are the notifiers that are set up."""

    firing: tuple[Firing, ...] | None
    history: tuple[Past, ...]
    rules: tuple[RuleRow, ...]
    mutes: tuple[Mute, ...]
    ways: tuple[str, ...]
    store: AsOf
    redis: AsOf


@dataclass(frozen=True)
class Found:
    """The history, the mutes, and the settings that hold the limits."""

    history: Answer[list[dict[str, object]]]
    mutes: Answer[dict[str, float]]
    settings: Settings


async def ask(desk: Desk, given: Nothing, shot: Snapshot) -> Found:
    """Return what the table and Redis know of alarms."""
    del given, shot
    history = await desk.of_store("alerts", EVERY_S, _history)
    return Found(history, await desk.of_redis("mutes", MUTES_EVERY_S, _mutes), desk.settings)


async def _history(store: Store) -> list[dict[str, object]]:
    return (await store.query(HISTORY)).to_dicts()


async def _mutes(redis: Redis) -> dict[str, float]:
    return {key.decode(): float(end) for key, end in (await redis.hgetall(MUTED)).items()}


def view(look: Look) -> Alerts:
    """Return what fires, and everything about it."""
    found: Found = look.found
    now_s = look.now_ns / NS_PER_S
    mutes = {what: end - now_s for what, end in (found.mutes.value or {}).items() if end > now_s}
    alarms = alarms_of(look.shot)
    firing = None
    if alarms is not None:
        firing = tuple(
            Firing(one.rule, one.subject, one.words, now_s - one.since_s, _muted(mutes, one.rule, one.subject))
            for one in alarms
        )
    return Alerts(
        firing=firing,
        history=tuple(_past(row, look.now_ns) for row in found.history.value or ()),
        rules=rules(found.settings, firing, mutes),
        mutes=tuple(Mute(what, left_s) for what, left_s in sorted(mutes.items())),
        ways=_ways(found.settings),
        store=found.history.as_of(look.now_ns),
        redis=found.mutes.as_of(look.now_ns),
    )


def rules(settings: Settings, firing: tuple[Firing, ...] | None, mutes: Mapping[str, float]) -> tuple[RuleRow, ...]:
    """Return every rule with its limit."""
    limits = {
        "lag": (f"over {age_words(settings.alert_lag_s)} behind", "ALERT_LAG_S"),
        "gaps": (f"{settings.alert_gaps_per_10_min} in ten minutes", "ALERT_GAPS_PER_10_MIN"),
        "disk": (f"under {settings.alert_disk_free:.0%} free", "ALERT_DISK_FREE"),
        "clock": (f"over {settings.alert_clock_skew_s:g} s apart", "ALERT_CLOCK_SKEW_S"),
        "memory": (f"over {MEMORY_FULL:.0%} full", ""),
        "crash_loop": (f"{RESTARTS} starts in ten minutes", ""),
        "forecast": (f"full within {age_words(SOON_S)}", ""),
    }
    return tuple(
        RuleRow(
            name=rule.name,
            words=rule.words,
            limit=limits.get(rule.name, ("", ""))[0],
            setting=limits.get(rule.name, ("", ""))[1],
            after_s=rule.after_s,
            clear_s=rule.clear_s,
            firing=None if firing is None else sum(one.rule == rule.name for one in firing),
            muted_s=mutes.get(rule.name),
        )
        for rule in RULES
    )


def _muted(mutes: Mapping[str, float], rule: str, subject: str) -> float | None:
    return max((mutes[key] for key in (rule, f"{rule}|{subject}") if key in mutes), default=None)


def _past(row: Mapping[str, object], now_ns: int) -> Past:
    received_ns, since_ns = int(str(row["received_ns"])), int(str(row["since_ns"]))
    return Past(
        rule=str(row["rule"]),
        subject=str(row["subject"]),
        state=str(row["state"]),
        words=str(row["words"]),
        received_ns=received_ns,
        age_s=(now_ns - received_ns) / NS_PER_S,
        lasted_s=max(0, received_ns - since_ns) / NS_PER_S,
    )


def _ways(settings: Settings) -> tuple[str, ...]:
    named = {
        "webhook": settings.notification_url,
        "Telegram": settings.telegram_token and settings.telegram_chat_id,
        "Apprise": settings.notify_urls,
    }
    return tuple(name for name, value in named.items() if value)
