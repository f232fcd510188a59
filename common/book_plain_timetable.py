"""What `common.book_timetable` does, in plain Python: an instant is found by asking of each whether it is due."""

from common.book_shapes import (
    CLOSED,
    IS_OURS,
    LAST_CLOCK,
    LAST_EVENT,
    LAST_RECEIVED,
    LATE,
    NOWHERE,
    UPDATES,
    Arrivals,
    Ints,
    Timing,
)


def timetable(clock: Ints, arrivals: Arrivals, span: Ints, timing: Timing, rows: Ints) -> int:
    """Do what `common.book_timetable.timetable` does."""
    first, stop, end_ns = (int(number) for number in span)
    made: list[tuple[int, ...]] = []
    for number in range(first, stop):
        told_ns, received_ns, clock_ns, is_snapshot = (int(times[number]) for times in arrivals)
        if clock[CLOSED] != NOWHERE:
            made += _due(clock, _now_ns(clock, clock_ns, timing), number, timing)
        event_ns = _event_ns(clock, told_ns, received_ns)
        if _begins(clock, event_ns, (told_ns, is_snapshot), timing):
            clock[CLOSED], clock[LAST_EVENT] = event_ns - event_ns % timing.every_ns, event_ns
        clock[IS_OURS] = told_ns == NOWHERE and (clock[IS_OURS] or clock[LAST_CLOCK] == NOWHERE)
        made += _due(clock, event_ns, number, timing)
        clock[UPDATES] += 1
        clock[LATE] += event_ns < clock[CLOSED]
        clock[LAST_RECEIVED] = max(int(clock[LAST_RECEIVED]), received_ns)
        if event_ns >= clock[LAST_EVENT]:
            clock[LAST_EVENT], clock[LAST_CLOCK] = event_ns, clock_ns
    if clock[CLOSED] != NOWHERE:
        made += _due(clock, _now_ns(clock, end_ns, timing), stop, timing)
    for index, row in enumerate(made[: len(rows)]):
        rows[index] = row
    return len(made)


def _begins(clock: Ints, event_ns: int, told: tuple[int, int], timing: Timing) -> bool:
    """Return whether a message begins the count of instants anew."""
    (told_ns, is_snapshot), closed = told, int(clock[CLOSED])
    if closed == NOWHERE:
        return True
    is_first_told = told_ns != NOWHERE and bool(clock[IS_OURS])
    distance_ns = event_ns - closed
    return bool(is_snapshot and distance_ns < -timing.stale_ns) or (
        is_first_told and abs(distance_ns) > timing.stale_ns
    )


def _event_ns(clock: Ints, told_ns: int, received_ns: int) -> int:
    if told_ns != NOWHERE:
        return told_ns
    is_ours = clock[CLOSED] == NOWHERE or clock[IS_OURS]
    return received_ns if is_ours else max(int(clock[CLOSED]), int(clock[LAST_EVENT]))


def _now_ns(clock: Ints, clock_ns: int, timing: Timing) -> int:
    return int(clock[LAST_EVENT]) + clock_ns - int(clock[LAST_CLOCK]) - timing.grace_ns


def _due(clock: Ints, now_ns: int, before: int, timing: Timing) -> list[tuple[int, ...]]:
    closed, bound = int(clock[CLOSED]), now_ns - now_ns % timing.every_ns
    if bound <= closed:
        return []
    stale_ns = int(clock[LAST_EVENT]) + timing.stale_ns
    seconds = range(closed - closed % timing.always_ns + timing.always_ns, min(bound, stale_ns) + 1, timing.always_ns)
    changed = {closed + timing.every_ns} if clock[UPDATES] else set()
    made = []
    for instant in sorted(changed | set(seconds)):
        known = (int(clock[field]) for field in (LAST_EVENT, LAST_RECEIVED, UPDATES, LATE))
        made.append((instant, before, *known))
        clock[UPDATES] = clock[LATE] = 0
    clock[CLOSED] = bound
    return made
