"""When books are read off and what they are asked: what the operator chose."""

import msgspec

from common.book_choice import ALL, Choice, chosen
from common.book_shapes import Timing
from common.clock import NS_PER_MS, NS_PER_S
from common.settings import Settings


class Plan(msgspec.Struct, frozen=True):
    """When books are read off, in nanoseconds of event time, and what they are asked."""

    timing: Timing = Timing(100 * NS_PER_MS, NS_PER_S, NS_PER_S, 300 * NS_PER_S)
    top_ns: int = NS_PER_S
    whole_ns: int = 60 * NS_PER_S
    choice: Choice = ALL


def choice_of(settings: Settings) -> Choice:
    """Return what the operator asks of a book."""
    return chosen(settings.book_bands_bps, settings.book_notionals, settings.book_levels)


def plan_of(settings: Settings) -> Plan:
    """Return what the operator chose."""
    every_ns, stale_ns = settings.book_stats_ms * NS_PER_MS, int(settings.book_stale_s * NS_PER_S)
    timing = Timing(every_ns, NS_PER_S, NS_PER_S, stale_ns)
    return Plan(timing, settings.book_top_s * NS_PER_S, settings.book_whole_s * NS_PER_S, choice_of(settings))
