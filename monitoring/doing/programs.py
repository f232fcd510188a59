"""Programs started, stopped and started again through the Supervisor that runs them."""

import asyncio
from typing import Literal

from monitoring.doing.deeds import Deed, NotDone
from monitoring.prompts import fleet, word
from monitoring.supervised import Supervised, ask_supervisor, supervised

Order = Literal["start", "stop", "restart"]
RUNS = ("RUNNING", "STARTING", "BACKOFF")
SERVERS = ("redis", "clickhouse")
OURSELVES = "dashboard"
TAIL_BYTES = 32_768
WORDS: dict[Order, str] = {
    "start": "It starts, and goes on where its last run had committed or read to.",
    "stop": "It finishes what it has in hand and stays down until it is started, or the whole fleet is.",
    "restart": "It finishes what it has in hand and starts again, which takes some seconds.",
}


async def ordering(address: str, order: Order, program: str, *, is_page: bool = True) -> Deed:
    """
    Return the deed that starts, stops or restarts a program; a page cannot stop what it comes from.

    Raises:
        NotDone: there is no such program.
        OSError: Supervisor does not answer.
    """
    known = await asyncio.to_thread(supervised, address)
    if program not in known:
        raise NotDone(f"Supervisor runs no {program}: it has {', '.join(sorted(known))}")
    process = known[program]

    async def run() -> str:
        return await asyncio.to_thread(ordered, address, order, process)

    is_server = program in SERVERS and order != "start"
    return Deed(
        action=order,
        subject=program,
        command=f"supervisorctl {order} {word(process.full_name)}",
        run=run,
        touches=((program, state_words(process)),),
        words=f"{WORDS[order]} {_consequence(program) if order != 'start' else ''}".strip(),
        before=state_words(process),
        typed=program if is_server else "",
        refusal=_why_not(order, process, is_page=is_page),
        also=(fleet(order, program, *(["--yes"] if is_server else [])),),
    )


def tail(address: str, program: str) -> str:
    """Return the end of a program's log; raise OSError where it cannot be read."""
    known = supervised(address)
    if program not in known:
        raise NotDone(f"Supervisor runs no {program}: it has {', '.join(sorted(known))}")
    text, _, _ = ask_supervisor(address, "tailProcessStdoutLog", known[program].full_name, 0, TAIL_BYTES)
    return str(text)


def ordered(address: str, order: Order, process: Supervised) -> str:
    """Have Supervisor do it and wait until it is done; return how the process is then, raise OSError where it fails."""
    steps: dict[Order, tuple[str, ...]] = {
        "start": ("startProcess",),
        "stop": ("stopProcess",),
        "restart": ("stopProcess", "startProcess") if process.state in RUNS else ("startProcess",),
    }
    for method in steps[order]:
        ask_supervisor(address, method, process.full_name, True)  # noqa: FBT003  it waits until that is so
    return state_words(supervised(address)[process.name])


def _why_not(order: Order, process: Supervised, *, is_page: bool) -> str:
    runs = process.state in RUNS
    if is_page and process.name == OURSELVES and order != "start":
        return f"that would end this page before it can answer: supervisorctl {order} {OURSELVES}"
    if order == "start" and runs:
        return f"it is {process.state.lower()} already"
    return "" if order != "stop" or runs else f"it is {process.state.lower()}"


def _consequence(program: str) -> str:
    if program.endswith("_ingester"):
        return "What its venue tells meanwhile is missed, or fetched afterwards where the venue allows."
    if program in SERVERS:
        return "Nobody can ask it or tell it anything meanwhile: ingesters spool to disk, processors wait."
    return "What it would have read waits in the streams meanwhile."


def state_words(process: Supervised) -> str:
    """Return how a process is, as Supervisor sees it."""
    return f"{process.state.lower()}{f', pid {process.pid}' if process.pid else ''}"
