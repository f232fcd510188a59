"""`fleet alerts`: what is amiss now and was before, who is told, and what is to be quiet for a while."""

import asyncio
import json
from dataclasses import replace
from typing import Annotated, Any

import typer

from common.clock import NS_PER_S, now_ns
from common.redis_streams import Redis
from monitoring.alert_rules import RULES
from monitoring.alerting import MUTED, STATE
from monitoring.cli.asking import Call, ask_clickhouse, ask_redis
from monitoring.cli.deed import Json, facts_of, tried
from monitoring.cli.exits import DEGRADED, FAILED, USAGE
from monitoring.cli.printing import age, console, show_json, table, tell
from monitoring.doing.alerts import faults_of, muting, told, trying
from monitoring.doing.deeds import Deed, NotDone
from monitoring.notifiers import notifiers

EXAMPLES = """
Examples:  fleet alerts ls  |  fleet alerts mute lag 1h  |  fleet alerts mute "silent|upstox_ingester" 8h  |
fleet alerts test  |  fleet alerts rules  |  fleet alerts history
"""
NONE = {True: "nothing fires", False: "nothing fired when somebody looked last"}
WATCHER = "dashboard"
HISTORY = """
    SELECT received_time, rule, subject, state, words FROM alerts ORDER BY received_time DESC, offset DESC LIMIT 100
"""


def ls(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show what fires now; exit code 3 when anything does, or when nobody looks."""
    call: Call = ctx.obj
    firing, muted, is_watched = ask_redis(call.settings, _firing)
    rows = [
        {**alarm, "age_s": now_ns() / NS_PER_S - alarm["since_s"], "muted": _is_muted(alarm, muted)} for alarm in firing
    ]
    if as_json:
        show_json(rows)
    else:
        cells = [
            (row["rule"], row["subject"], row["words"], age(row["age_s"]), "muted" if row["muted"] else "")
            for row in rows
        ]
        console().print(table("", ("rule", "subject", "words", "for>", ""), cells) if rows else NONE[is_watched])
    if not is_watched:
        tell("nobody looks now: the dashboard holds the fleet against the rules, and has no heartbeat; ./fleet status")
    if rows or not is_watched:
        raise typer.Exit(DEGRADED)


def rules(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show what is looked for, how long it must last before it fires, and how long it must be away to be over."""
    del ctx
    rows = [
        {"rule": rule.name, "words": rule.words, "after_s": rule.after_s, "clear_s": rule.clear_s} for rule in RULES
    ]
    if as_json:
        show_json(rows)
        return
    cells = [
        (rule.name, rule.words, age(rule.after_s) if rule.after_s else "at once", age(rule.clear_s)) for rule in RULES
    ]
    console().print(table("", ("rule", "fires when", "for>", "over after>"), cells))


def history(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show the last hundred alarms that began or ended, newest first."""
    call: Call = ctx.obj
    rows = ask_clickhouse(call.settings, HISTORY).to_dicts()
    if as_json:
        show_json(rows)
        return
    columns = ("time (UTC)", "rule", "subject", "state", "words")
    console().print(
        table("", columns, [(f"{row['received_time']:%Y-%m-%d %H:%M:%S}", *list(row.values())[1:]) for row in rows])
    )


def mute(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(help="A rule, or rule|subject.")],
    length: Annotated[str, typer.Argument(help="For how long: 30m, 8h, 7d; 0 ends it.")] = "1h",
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Let nobody be told of a rule, or of one subject of it, for a while."""
    call: Call = ctx.obj

    async def act(redis: Redis) -> tuple[Deed, str, str]:
        deed = await muting(redis, what, length)
        return (deed, *await tried(redis, deed))

    try:
        deed, after, refused = ask_redis(call.settings, act)
    except NotDone as error:
        tell(str(error))
        raise typer.Exit(USAGE) from error
    if as_json:
        show_json(facts_of(deed, after=after, refused=refused, is_done=not refused))
    else:
        tell(f"{what}: {after or refused}")


def try_out(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Send a message by every notifier of the settings, and say which took it."""
    call: Call = ctx.obj
    ways, faults = notifiers(call.settings), dict[str, str]()

    async def run() -> str:
        faults.update(await faults_of(ways))
        return told(faults)

    deed = replace(trying(ways), run=run)
    _, refused = ask_redis(call.settings, lambda redis: tried(redis, deed))
    if refused:
        tell(refused)
        raise typer.Exit(FAILED)
    if as_json:
        show_json([{"name": name, "told": not fault, "fault": fault} for name, fault in faults.items()])
    else:
        tell(*(f"{name}: {fault or 'told'}" for name, fault in faults.items()))
    if any(faults.values()):
        raise typer.Exit(FAILED)


async def _firing(redis: Redis) -> tuple[list[dict[str, Any]], dict[str, float], bool]:
    """Return what fired when somebody looked last, what is muted, and whether somebody looks now."""
    held, muted, beats = await asyncio.gather(
        redis.get(f"state:{STATE}"), redis.hgetall(MUTED), redis.exists(f"proc:{WATCHER}")
    )
    return json.loads(held or b"[]"), {key.decode(): float(end) for key, end in muted.items()}, bool(beats)


def _is_muted(alarm: dict[str, Any], muted: dict[str, float]) -> bool:
    keys = (alarm["rule"], f"{alarm['rule']}|{alarm['subject']}")
    return any(muted.get(key, 0.0) > now_ns() / NS_PER_S for key in keys)
