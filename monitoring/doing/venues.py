"""Venues switched off and on while the fleet runs; what is off stays off when the fleet is started again."""

import asyncio
from dataclasses import replace
from typing import Literal

from common.clock import now_ns
from common.readings import ProgramReading
from common.redis_facts import add_words, remove_words, words_of
from common.redis_readings import RedisReader
from common.redis_streams import Redis
from common.streams import SWITCHED_OFF
from monitoring.doing.deeds import Deed, NotDone
from monitoring.doing.programs import RUNS, Order, ordered, state_words
from monitoring.prompts import fleet
from monitoring.supervised import Supervised, supervised

Way = Literal["on", "off"]
ORDERS: dict[Way, Order] = {"on": "start", "off": "stop"}
WORDS: dict[Way, str] = {
    "on": "It starts within seconds, goes on where it was, and is started with the fleet again.",
    "off": "It finishes what it has in hand and stays down until it is switched on, also when the fleet is started "
    "again. What its venue tells meanwhile is missed, or fetched afterwards where the venue allows. What is stored "
    "stays, and nothing rings because of it.",
}


async def switching(redis: Redis, address: str, program: str, way: Way) -> Deed:
    """
    Return the deed that switches an ingester off or on.

    Args:
        redis: where it is kept who is off.
        address: of the Supervisor that runs it.
        program: such as okx_ingester; okx will do.
        way: what it is to be.

    Raises:
        NotDone: there is no such ingester.
        OSError: Supervisor does not answer.
        Unreachable: Redis does not.
    """
    declared = await _declared(redis, f"{program.removesuffix('_ingester')}_ingester")
    name = declared.program
    known = await asyncio.to_thread(supervised, address)
    process = known.get(name)
    state = state_words(process) if process else "not run by Supervisor"

    async def run() -> str:
        if process is None:
            raise NotDone(f"Supervisor runs no {name}")
        # Who is off is kept only once it is down, and forgotten before it starts: what runs is never said to be off.
        if way == "on":
            await remove_words(redis, SWITCHED_OFF, [name])
        order = ORDERS[way] if _differs(process, way) else None
        stands = await asyncio.to_thread(ordered, address, order, process) if order else state
        if way == "off":
            await add_words(redis, SWITCHED_OFF, [name])
        return f"{way}, {stands}"

    before = f"{'off' if declared.is_off else 'on'}, {state}"
    return Deed(
        action=f"switch {way}",
        subject=name,
        command=fleet("switch", name.removesuffix("_ingester"), way),
        run=run,
        touches=((name, before),),
        words=WORDS[way],
        before=before,
        refusal=_why_not(declared, process, way),
    )


async def _declared(redis: Redis, name: str) -> ProgramReading:
    programs = (await RedisReader(redis).read(now_ns())).programs
    if programs is None:
        raise NotDone("start.sh has not written to this Redis which programs there are")
    ingesters = {one.program: one for one in programs if one.kind == "ingester"}
    if name not in ingesters:
        raise NotDone(f"no venue is recorded by {name}: there are {', '.join(sorted(ingesters))}")
    return ingesters[name]


def _differs(process: Supervised, way: Way) -> bool:
    return (process.state in RUNS) != (way == "on")


def _why_not(declared: ProgramReading, process: Supervised | None, way: Way) -> str:
    if not (declared.enabled or declared.is_off):
        return f"the settings have it off, and they count: {declared.why}; change it in .env, ./stop.sh and ./start.sh"
    if process is None:
        return f"Supervisor runs no {declared.program}: ./stop.sh and ./start.sh let it know"
    if declared.is_off == (way == "off") and not _differs(process, way):
        return f"it is {way} already"
    return ""


async def heeding(redis: Redis, deed: Deed) -> Deed:
    """Return an order to a program, refused where it would start one that is switched off."""
    if deed.action == "stop" or deed.subject not in await words_of(redis, SWITCHED_OFF):
        return deed
    command = fleet("switch", deed.subject.removesuffix("_ingester"), "on")
    return replace(deed, refusal=f"its venue is switched off: {command}")
