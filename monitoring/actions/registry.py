"""ACTIONS: what can be done from a page; each is the same as a command."""

from collections.abc import Awaitable, Callable
from typing import Literal

from common.settling import bytes_of
from monitoring.actions.action import Action, Input, Tools
from monitoring.actions.forms import Form
from monitoring.doing import alerts, groups, letters, programs, resetting, symbols, venues
from monitoring.doing.deeds import Deed, NotDone, Who
from monitoring.notifiers import notifiers
from monitoring.views.letters_reading import Given, chosen

Look = Callable[[Tools, Form, Who], Awaitable[Deed]]
WHICH_GROUP = ("group", "topic")
PLACES = "beginning, newest, 30m, 2026-11-20T10:00, or a shift such as -500"


async def _pause(tools: Tools, form: Form, _: Who) -> Deed:
    return await groups.pausing(tools.desk.redis, form.get("group", ""), form.get("topic", ""))


async def _resume(tools: Tools, form: Form, _: Who) -> Deed:
    return await groups.resuming(tools.desk.redis, form.get("group", ""), form.get("topic", ""))


async def _claim(tools: Tools, form: Form, _: Who) -> Deed:
    return await groups.handing_over(tools.desk.redis, form.get("group", ""), form.get("shard", ""))


async def _forget(tools: Tools, form: Form, _: Who) -> Deed:
    return await groups.forgetting(tools.desk.redis, form.get("group", ""), form.get("topic", ""))


async def _reset(tools: Tools, form: Form, _: Who) -> Deed:
    return await resetting.resetting(
        tools.desk.redis, form.get("group", ""), form.get("topic", ""), form.get("to", ""), seen=form.get("seen", "")
    )


def _program(order: programs.Order) -> Look:
    async def look(tools: Tools, form: Form, _: Who) -> Deed:
        deed = await programs.ordering(tools.desk.around.supervisor, order, form.get("program", ""))
        return await venues.heeding(tools.desk.redis, deed)

    return look


def _switch(way: venues.Way) -> Look:
    async def look(tools: Tools, form: Form, _: Who) -> Deed:
        return await venues.switching(tools.desk.redis, tools.desk.around.supervisor, form.get("program", ""), way)

    return look


async def _symbols(tools: Tools, form: Form, who: Who) -> Deed:
    pasted = form.get("list", "")
    wanted = symbols.Wanted(
        add=symbols.listed(form.get("add", "")) + (symbols.listed(pasted) if form.get("how", "add") == "add" else []),
        remove=symbols.listed(form.get("remove", "")),
        only=symbols.listed(pasted) if form.get("how") == "replace" else None,
        settings=form.get("settings") == "yes",
    )
    return await symbols.choosing(tools.desk.redis, tools.desk.settings, form.get("program", ""), wanted, who)


async def _back(tools: Tools, form: Form, who: Who) -> Deed:
    redis, program = tools.desk.redis, form.get("program", "")
    known = {str(one.time_s): one for one in await symbols.history(redis, program)}
    if form.get("time", "") not in known:
        raise NotDone("that choice is not remembered any more")
    wanted = symbols.Wanted(only=known[form["time"]].symbols)
    return await symbols.choosing(redis, tools.desk.settings, program, wanted, who)


def _letters(how: Literal["redrive", "drop"]) -> Look:
    async def look(tools: Tools, form: Form, _: Who) -> Deed:
        which = letters.Which(form.get("id", ""), form.get("kind", ""))
        if not (which.id or which.kind or form.get("all") == "yes"):
            raise NotDone("expected letters: one, those of one reason, or all")
        found, most = await chosen(tools.desk, Given(which.id, which.kind)), letters.AT_ONCE
        return letters.settling(tools.desk.redis, how, which, found[:most], has_more=len(found) > most)

    return look


async def _mend(tools: Tools, form: Form, _: Who) -> Deed:
    found = await chosen(tools.desk, Given(id=form.get("id", "none")))
    if len(found) != 1:
        raise NotDone(f"{len(found)} letters with an id that begins with {form.get('id', '')} wait for somebody")
    text = form.get("payload") or bytes_of(found[0]).decode(errors="replace")
    return await letters.mending(tools.desk.redis, found[0], text)


async def _mute(tools: Tools, form: Form, _: Who) -> Deed:
    return await alerts.muting(tools.desk.redis, form.get("what", ""), form.get("length", "1h"))


async def _try(tools: Tools, _form: Form, _who: Who) -> Deed:
    return alerts.trying(notifiers(tools.desk.settings))


HOW_LONG = Input("length", "For how long", "choice", ("1h", "15m", "8h", "1d", "7d", "0"), "0: heard again")
WHERE_TO = Input("to", "Where to", hint=PLACES)
BYTES = Input("payload", "What is put back", "area")
PASTED = Input("list", "Symbols", "area", hint="one a line, or parted by commas; of a CSV the column named symbol")
HOW = Input("how", "What becomes of those that are recorded now", "choice", ("add", "replace"))

ACTIONS = (
    Action("pause", "Pause", "Pause", "/groups", _pause, WHICH_GROUP),
    Action("resume", "Resume", "Resume", "/groups", _resume, WHICH_GROUP),
    Action("reset", "Reset the position of", "Reset", "/groups", _reset, WHICH_GROUP, (WHERE_TO,)),
    Action("claim", "Hand over", "Hand over now", "/groups", _claim, ("group", "shard")),
    Action("forget", "Forget", "Forget", "/groups", _forget, WHICH_GROUP),
    Action("start", "Start", "Start", "/system", _program("start"), ("program",)),
    Action("stop", "Stop", "Stop", "/system", _program("stop"), ("program",)),
    Action("restart", "Restart", "Restart", "/system", _program("restart"), ("program",)),
    Action("switch-on", "Switch on", "Switch on", "/venues", _switch("on"), ("program",)),
    Action("switch-off", "Switch off", "Switch off", "/venues", _switch("off"), ("program",)),
    Action("symbols", "Symbols of", "Save", "/venues", _symbols, ("program", "add", "remove", "settings")),
    Action(
        "list", "List of symbols for", "Save", "/venues", _symbols, ("program",), (PASTED, HOW), is_asked_first=True
    ),
    Action("back", "Earlier symbols of", "Bring them back", "/venues", _back, ("program", "time")),
    Action("redrive", "Redrive", "Redrive", "/dead-letters", _letters("redrive"), ("id", "kind", "all")),
    Action("drop", "Drop", "Drop", "/dead-letters", _letters("drop"), ("id", "kind", "all")),
    Action("mend", "Mend and redrive", "Redrive it so", "/dead-letters", _mend, ("id",), (BYTES,)),
    Action("mute", "Mute", "Mute", "/alerts", _mute, ("what",), (HOW_LONG,)),
    Action("test-alerts", "Test who is told:", "Send", "/alerts", _try),
)
