"""The figures on one screen, or as JSON."""

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.bench import Found, bars
from benchmarks.measure import Figures


def as_json(found: Found) -> dict[str, Any]:
    """Return all of it as plain values."""
    data = asdict(found)
    for name in ("ours", "plain", "peer"):
        part: Figures | None = getattr(found, name)
        if part:
            data[name] |= {
                "us_per_event": part.us_per_event,
                "per_cpu_s": part.per_cpu_s,
                "per_wall_s": part.per_wall_s,
            }
    if found.memory:
        data["memory"] |= {"total_bytes": found.memory.total_bytes, "default_bytes": found.memory.default_bytes}
    return {**data, "bars": [asdict(bar) for bar in bars(found)]}


def show(found: Found) -> None:
    """Print tables."""
    out = Console(highlight=False, width=None if Console().is_terminal else 160)
    paths = [part for part in (found.ours, found.plain, found.peer) if part]
    if paths:
        out.print(_paths(paths))
    if found.limit:
        each = f"{found.limit.redis_us:.2f} µs of Redis's CPU each"
        out.print(f"limit: {found.limit.per_wall_s:,.0f} single XADD per second by redis-benchmark -P 16, {each}")
    if found.latency:
        late = found.latency
        out.print(
            f"latency at {late.per_s:,} trades/s: p50 {late.p50_ms:.0f}, p90 {late.p90_ms:.0f}, p99 {late.p99_ms:.0f}, "
            f"max {late.max_ms:.0f} ms; CPU {late.cpu_pct:.0f} % of a core without ClickHouse"
        )
    if found.memory:
        parts = sorted(found.memory.proportional_bytes.items(), key=lambda part: -part[1])
        each = ", ".join(f"{name} {held / 2**20:.0f}" for name, held in parts)
        total, default = found.memory.total_bytes / 2**20, found.memory.default_bytes / 2**20
        words = f"{total:,.0f} MiB, {default:,.0f} without the venues that need a key"
        out.print(f"memory of the fleet: {words} (MiB by process, shared pages divided: {each})")
    if found.books:
        books = found.books
        out.print(
            f"books: {books.messages:,.0f} messages of 56 levels per CPU-second with a row of statistics each "
            f"({books.five_a_row:,.0f} with one for five, {books.from_bytes:,.0f} from the stream's bytes); a sorted "
            f"dictionary {books.sorted_dict:,.0f} ({books.sorted_dict_20:,.0f} with the best 20 levels alone); "
            f"{books.snapshots:,.0f} books of 2 x 5,000 levels"
        )
    for bar in bars(found):
        out.print(
            f"[{'green' if bar.is_met else 'red'}]{'met   ' if bar.is_met else 'missed'}[/] {bar.claim}: {bar.found}"
        )
    for note in found.notes:
        out.print(f"note   {note}")


def _paths(paths: list[Figures]) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for column in ("path", "trades", "per s", "per CPU-s", "CPU µs each", "of these"):
        table.add_column(column, justify="left" if column in ("path", "of these") else "right", overflow="fold")
    for path in paths:
        each = ", ".join(f"{name} {spent_us:.2f}" for name, spent_us in path.cpu_us.items())
        rates = (f"{path.per_wall_s:,.0f}", f"{path.per_cpu_s:,.0f}", f"{path.us_per_event:.2f}")
        table.add_row(path.name, f"{path.events:,}", *rates, each)
    return table
