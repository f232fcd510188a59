"""From a snapshot to the overview: what stands where, how fast it moves, how well it is."""

from dataclasses import dataclass

from common.clock import NS_PER_S
from common.readings import RedisReading
from common.schema import migrations
from common.settings import Settings
from monitoring import process_rows, store_rows, stream_rows
from monitoring.counters import MEMORY
from monitoring.facts import Disabled, Group, Overview, Process, Server
from monitoring.history import STEP_S
from monitoring.verdicts import Level, Verdict, age_words, of_memory, of_schema, of_server, redis_full_in_s, worst
from monitoring.watch import Snapshot

FORESEEN_S = 86_400.0


@dataclass(frozen=True)
class House:
    """What does not change while the dashboard runs: which servers are ours, which schema this code was written for."""

    embedded_redis: bool
    embedded_clickhouse: bool
    schema: int | None


def house_of(settings: Settings) -> House:
    """Return what a verdict needs to know beside the readings."""
    return House(settings.embedded_redis, settings.embedded_clickhouse, len(migrations()))


def overview(shot: Snapshot, now_ns: int, house: House) -> Overview:
    """Return everything the overview shows of a snapshot, as of `now_ns`."""
    redis = shot.redis
    servers = (_redis(shot, now_ns, house), _clickhouse(shot, now_ns, house))
    schema = _schema(shot, house)
    processes = process_rows.processes(shot, now_ns)
    groups = stream_rows.groups(shot)
    letters = sum(shard.offset for shard in redis.shards if shard.topic == "dead_letters") if redis else None
    letters_per_s = shot.rates_per_s.get("stream|dead_letters")
    level = worst([*(s.verdict.level for s in servers), schema.level, *(p.verdict.level for p in processes)])
    level = worst([level, *(g.verdict.level for g in groups)])
    return Overview(
        number=shot.number,
        taken_ns=shot.taken_ns,
        mode=redis.mode if redis else "",
        level=level,
        words=_words(level, servers, processes, groups),
        records_per_s=_all_ingested(shot, processes),
        worst_lag_s=_worst_lag_s(shot, groups),
        servers=servers,
        schema=schema,
        processes=processes,
        programs_known=bool(redis and redis.programs is not None),
        disabled=tuple(
            Disabled(program.program, program.kind, program.venue, program.why or "no reason given")
            for program in (redis.programs if redis else None) or ()
            if not program.enabled
        ),
        streams=stream_rows.streams(shot),
        groups=groups,
        tables=store_rows.tables(shot, now_ns),
        cursors=store_rows.cursors(shot, now_ns),
        events=store_rows.events(shot, now_ns),
        dead_letters_total=letters,
        dead_letters_per_min=None if letters_per_s is None else letters_per_s * 60,
        wanted_tokens=redis.wanted_tokens if redis else None,
    )


class Overviews:
    """The overview of a snapshot, made once for all pages that are painted of it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._made: tuple[int, Overview] | None = None

    def of(self, shot: Snapshot, now_ns: int) -> Overview:
        """Return the overview of a snapshot; its ages are those of when it was first asked for."""
        if self._made is None or self._made[0] != shot.number:
            self._made = shot.number, overview(shot, now_ns, self._house)
        return self._made[1]


def _redis(shot: Snapshot, now_ns: int, house: House) -> Server:
    reading = shot.redis
    age_s = (now_ns - reading.read_ns) / NS_PER_S if reading else None
    verdict = of_server("redis", problem=shot.redis_problem, read_age_s=age_s, embedded=house.embedded_redis)
    detail = ""
    if reading:
        full = of_memory(used_bytes=reading.used_bytes, max_bytes=reading.max_bytes)
        verdict = full if full.level is Level.SLOW and verdict.level is Level.WELL else verdict
        limit = f" of {reading.max_bytes / 2**20:,.0f} MiB" if reading.max_bytes else ""
        detail = f"{reading.used_bytes / 2**20:,.1f} MiB{limit}".replace(",", " ") + _room(shot, reading)
    return Server(
        "redis", verdict, reading.version if reading else "", age_s, reading.took_ms if reading else None, detail
    )


def _room(shot: Snapshot, reading: RedisReading) -> str:
    """Return how full Redis is, and when it will be if its memory goes on to grow as it did."""
    if not reading.max_bytes:
        return ""
    left_s = redis_full_in_s(shot.trends.get(MEMORY, ()), step_s=STEP_S, limit=reading.max_bytes)
    forecast = f" · full in {age_words(left_s)}" if left_s is not None and left_s < FORESEEN_S else ""
    return f" · {reading.used_bytes / reading.max_bytes:.0%}{forecast}"


def _clickhouse(shot: Snapshot, now_ns: int, house: House) -> Server:
    reading = shot.store
    age_s = (now_ns - reading.read_ns) / NS_PER_S if reading else None
    verdict = of_server("clickhouse", problem=shot.store_problem, read_age_s=age_s, embedded=house.embedded_clickhouse)
    version = reading.version if reading else ""
    kept = sum(table.size_bytes or 0 for table in reading.tables) if reading else 0
    detail = f"{kept / 2**20:,.1f} MiB in tables".replace(",", " ") if reading else ""
    return Server("clickhouse", verdict, version, age_s, reading.took_ms if reading else None, detail)


def _schema(shot: Snapshot, house: House) -> Verdict:
    if shot.store is None:
        return Verdict(Level.UNKNOWN, "not known before ClickHouse answers")
    return of_schema(expected=house.schema, found=shot.store.schema)


def _all_ingested(shot: Snapshot, processes: tuple[Process, ...]) -> float | None:
    """Return what arrives from venues; derived records do not count again."""
    rates = [process.records_per_s for process in processes if process.kind == "ingester"]
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known and shot.redis_problem is None else None


def _worst_lag_s(shot: Snapshot, groups: tuple[Group, ...]) -> float | None:
    if shot.redis_problem is not None:
        return None
    return max((group.lag_s for group in groups if group.lag_s is not None), default=None)


def _words(level: Level, servers: tuple[Server, ...], processes: tuple[Process, ...], groups: tuple[Group, ...]) -> str:
    """Return the one line on top of every page: what is worst, or that all is well."""
    named = [(server.name, server.verdict.level, server.verdict.words.partition(":")[0]) for server in servers]
    named += [(process.name, process.verdict.level, process.verdict.words) for process in processes]
    named += [(f"{group.name} on {group.topic}", group.verdict.level, group.verdict.words) for group in groups]
    if level is Level.WELL:
        return f"{len(processes)} of {len(processes)} programs well" if processes else "waiting for the first program"
    ill = [f"{name}: {words}" for name, its_level, words in named if its_level is level]
    if not ill:
        return "the schema needs a person"
    return ill[0] + (f" (and {len(ill) - 1} more)" if len(ill) > 1 else "")
