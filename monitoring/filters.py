"""Figures as people read them: grouped digits, units, ages; and lines small enough to stand beside them."""

from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import quote

import msgspec
from markupsafe import Markup

from common.clock import NS_PER_S, utc_text
from monitoring.prompts import sql_text, word
from monitoring.verdicts import Level, age_words

THIN = "\u202f"  # narrow no-break space
SHAPES = {Level.WELL: "●", Level.SLOW: "▲", Level.DOWN: "■", Level.OFF: "○", Level.UNKNOWN: "◌"}
THOUSAND = 1000
WIDTH, HEIGHT = 120, 22
LONGEST = 6_000  # characters of a record that a page shows


def count(value: float) -> str:
    """Return a whole number with its digits in groups of three: `1 204 331`."""
    return f"{value:,.0f}".replace(",", THIN)


def rate(value: float) -> str:
    """Return a rate in three figures: `0`, `0.34`, `7.9`, `412`, `2.4 k`, `1.2 M`."""
    for size, letter in ((THOUSAND**2, "M"), (THOUSAND, "k")):
        if value >= size * 0.9995:  # what would round up to 1000 of the smaller unit
            return f"{value / size:.{1 if value < 100 * size else 0}f}{THIN}{letter}"
    if value == 0 or value >= 100:  # noqa: PLR2004  three figures
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004


def size(value: float) -> str:
    """Return bytes in binary units: `512 B`, `38.1 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:  # noqa: PLR2004
            return f"{value:.0f}{THIN}B" if unit == "B" else f"{value:.1f}{THIN}{unit}"
        value /= 1024
    return f"{value:.1f}{THIN}TiB"


def age(value_s: float) -> str:
    """Return an age: `0.4 s`, `4 m 02 s`."""
    return age_words(value_s).replace(" ", THIN)


def utc(time_ns: int) -> str:
    """Return a time to the second: `2026-03-11 12:00:00`."""
    return utc_text(time_ns)[:19].replace("T", " ")


def utc_of_seconds(text: str) -> str:
    """Return the time that whole seconds since the epoch mean."""
    return utc(int(text) * NS_PER_S)


def shape(level: Level) -> str:
    """Return a level's sign, so that colour is never alone."""
    return SHAPES[level]


def spark(values: Sequence[float | None], steps: int = 90) -> str:
    """Return an SVG path of the newest values, ending at the right; a gap where one is not known."""
    shown = list(values)[-steps:]
    top = max((value for value in shown if value is not None), default=0.0)
    if sum(value is not None for value in shown) < 2:  # noqa: PLR2004  a line has two ends
        return ""
    parts, pen = [], "M"
    for place, value in enumerate(shown, start=steps - len(shown)):
        if value is None:
            pen = "M"
            continue
        y = HEIGHT - 1.5 - (HEIGHT - 3) * (value / top if top else 0)
        parts.append(f"{pen}{WIDTH * place / (steps - 1):.1f} {y:.1f}")
        pen = "L"
    return "".join(parts)


def clock(time_ns: int) -> str:
    """Return a time of the day to the millisecond: `12:00:00.123`."""
    return utc_text(time_ns)[11:23]


def clock_time(time_ns: int, title: str = "") -> Markup:
    """Return a time of the day as an element that the browser may show in its own zone; the title keeps UTC."""
    titled = f"{utc(time_ns)} UTC{title and f', {title}'}"
    return _time(time_ns, "clock", clock(time_ns), titled)


def utc_time(time_ns: int) -> Markup:
    """Return a time to the second, with its zone, as an element that the browser may show in its own."""
    return _time(time_ns, "full", f"{utc(time_ns)} UTC", f"{utc(time_ns)} UTC")


def minute_time(time_ns: int) -> Markup:
    """Return a time to the minute without its year, `03-11 12:00`, as an element likewise."""
    return _time(time_ns, "minute", utc(time_ns)[5:16], f"{utc(time_ns)} UTC")


def _time(time_ns: int, form: str, words: str, title: str) -> Markup:
    stamp = f"{utc_text(time_ns)[:23]}Z"
    return Markup('<time datetime="{}" data-form="{}" title="{}">{}</time>').format(stamp, form, title, words)


def pretty(text: str) -> str:
    """Return JSON with a line for each field, cut where it grows long; any other text as it is."""
    with suppress(msgspec.DecodeError):
        text = msgspec.json.format(text, indent=2)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n... {len(text) - LONGEST} characters more"


def exact(value: float | str | None) -> str:
    """Return a price or a size in ten figures at most, without zeros that say nothing."""
    if value is None or value == "":
        return ""
    shown = f"{float(value):.10g}"
    if "e" in shown:
        shown = f"{float(value):.12f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def quoted(text: str) -> str:
    """Return a text as a part of an address, slashes and all."""
    return quote(text, safe="")


FILTERS = {
    "clock_time": clock_time,
    "utc_time": utc_time,
    "minute_time": minute_time,
    "pretty": pretty,
    "exact": exact,
    "quoted": quoted,
    "shell": word,
    "sql_text": sql_text,
    "count": count,
    "rate": rate,
    "size": size,
    "age": age,
    "utc": utc,
    "utc_of_seconds": utc_of_seconds,
    "shape": shape,
    "spark": spark,
}
