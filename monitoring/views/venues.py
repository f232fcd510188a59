"""/venues: who is recorded, who is not and why, which symbols, and how long ago each was heard of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.clock import NS_PER_S
from common.readings import ProcessReading, ProgramReading
from common.redis_facts import words_of
from common.redis_streams import Redis
from common.settings import Settings
from common.streams import symbols_key
from monitoring.desk import Answer, AsOf, Desk
from monitoring.facts import Process
from monitoring.page import Look, Nothing
from monitoring.process_rows import processes
from monitoring.views.instrument_list import Listed, instruments_of
from monitoring.views.instruments import EVERY_S
from monitoring.watch import Snapshot

CHOSEN_EVERY_S = 2.0


@dataclass(frozen=True)
class Symbol:
    """A symbol that is to be recorded; its age is None where nothing of it was stored lately, or that is not known."""

    symbol: str
    heard_age_s: float | None


@dataclass(frozen=True)
class VenueRow:
    """
    A program that listens to a venue.

    `origin` says where its symbols come from: settings, or chosen while running; None where it has none of one's
    choice. `is_enabled` is None where the launcher has not said what ought to run.
    """

    venue: str
    program: str
    is_enabled: bool | None
    why: str
    process: Process | None
    records_total: float | None
    reconnects_total: float | None
    silence_s: float | None
    origin: str | None
    symbols: tuple[Symbol, ...]


@dataclass(frozen=True)
class Venues:
    """Every venue; `chosen` tells how old the symbols are, `heard` how old their ages."""

    rows: tuple[VenueRow, ...]
    chosen: AsOf
    heard: AsOf


@dataclass(frozen=True)
class Found:
    """The symbols that were chosen while running, by program; every instrument that was heard of; the settings."""

    chosen: Answer[dict[str, list[str]]]
    listed: Answer[tuple[Listed, ...]]
    settings: Settings


async def ask(desk: Desk, given: Nothing, shot: Snapshot) -> Found:
    """Return what was chosen and what was heard."""
    del given
    programs = tuple(name for name, _ in _programs(shot))
    chosen = await desk.of_redis(("chosen", programs), CHOSEN_EVERY_S, lambda redis: _chosen(redis, programs))
    return Found(chosen, await desk.of_store("instruments", EVERY_S, instruments_of), desk.settings)


async def _chosen(redis: Redis, programs: Sequence[str]) -> dict[str, list[str]]:
    return {program: await words_of(redis, symbols_key(program)) for program in programs}


def _programs(shot: Snapshot) -> list[tuple[str, ProgramReading | None]]:
    """Return every ingester: as it was declared, or as it beats."""
    if shot.redis is None:
        return []
    declared = {one.program: one for one in shot.redis.programs or () if one.kind == "ingester"}
    beating = {one.fact("program") for one in shot.redis.processes if one.fact("kind") == "ingester"}
    return [(name, declared.get(name)) for name in sorted(declared.keys() | beating)]


def view(look: Look) -> Venues:
    """Return every venue of a snapshot."""
    found: Found = look.found
    rows = {row.program: row for row in processes(look.shot, look.now_ns)}
    beating = {one.fact("program"): one for one in look.shot.redis.processes} if look.shot.redis else {}
    heard = {(one.venue, one.symbol): one.heard_ns for one in found.listed.value or ()}
    made = [
        _row(name, declared, rows.get(name), beating.get(name), found, heard, look)
        for name, declared in _programs(look.shot)
    ]
    return Venues(
        rows=tuple(sorted(made, key=lambda row: (row.is_enabled is False, row.venue, row.program))),
        chosen=found.chosen.as_of(look.now_ns),
        heard=found.listed.as_of(look.now_ns),
    )


def _row(  # noqa: PLR0913, PLR0917  one row of a table is made of all that is known
    name: str,
    declared: ProgramReading | None,
    process: Process | None,
    beating: ProcessReading | None,
    found: Found,
    heard: Mapping[tuple[str, str], int | None],
    look: Look,
) -> VenueRow:
    venue = declared.venue if declared else process.venue if process else ""
    configured = found.settings.symbols_of(name)
    chosen = (found.chosen.value or {}).get(name, [])
    last_ns = beating.figures.get("last_frame_ns") if beating else None
    return VenueRow(
        venue=venue,
        program=name,
        is_enabled=declared.enabled if declared else None,
        why=declared.why if declared else "",
        process=process,
        records_total=beating.total("records_total") if beating else None,
        reconnects_total=beating.total("reconnects_total") if beating else None,
        silence_s=(look.now_ns - last_ns) / NS_PER_S if last_ns else None,
        origin=None if configured is None else "chosen while running" if chosen else "settings",
        symbols=tuple(Symbol(one, _age_s(heard.get((venue, one)), look.now_ns)) for one in chosen or configured or ()),
    )


def _age_s(time_ns: int | None, now_ns: int) -> float | None:
    return (now_ns - time_ns) / NS_PER_S if time_ns else None
