"""
When a book is read off: instants of event time, told once, whatever batches the messages come in.

An instant covers what happened before it. It is told when a later message of the same book shows that its time is over,
or when the shard's time has gone on for long enough; a message that comes later still changes the book from then on,
and is counted as late.
"""

from common.book_compiled import compiled
from common.book_shapes import (
    AT,
    BEFORE,
    CLOSED,
    IS_OURS,
    LAST_CLOCK,
    LAST_EVENT,
    LAST_RECEIVED,
    LATE,
    NOWHERE,
    ROW_EVENT,
    ROW_LATE,
    ROW_RECEIVED,
    ROW_UPDATES,
    UPDATES,
    Arrivals,
    Ints,
    Timing,
)


@compiled
def _row(clock: Ints, instant: int, before: int, rows: Ints, count: int) -> int:
    if count < len(rows):
        rows[count, AT], rows[count, BEFORE] = instant, before
        rows[count, ROW_EVENT], rows[count, ROW_RECEIVED] = clock[LAST_EVENT], clock[LAST_RECEIVED]
        rows[count, ROW_UPDATES], rows[count, ROW_LATE] = clock[UPDATES], clock[LATE]
    clock[UPDATES] = clock[LATE] = 0
    return count + 1


@compiled
def _close(clock: Ints, now_ns: int, before: int, timing: Timing, rows: Ints, count: int) -> int:
    """Tell every instant up to now; return the number of rows."""
    bound, closed = now_ns // timing.every_ns * timing.every_ns, clock[CLOSED]
    if bound <= closed:
        return count
    told = closed
    if clock[UPDATES] > 0:
        told = closed + timing.every_ns
        count = _row(clock, told, before, rows, count)
    instant = (told // timing.always_ns + 1) * timing.always_ns
    while instant <= min(bound, clock[LAST_EVENT] + timing.stale_ns):
        count = _row(clock, instant, before, rows, count)
        instant += timing.always_ns
    clock[CLOSED] = bound
    return count


@compiled
def _time(clock: Ints, arrivals: Arrivals, number: int, timing: Timing) -> int:
    """
    Return when a message happened, and begin the count of instants anew where that is needed.

    A message without a time of its own happened now, in the time of its book. Before the venue has told any time that
    is ours; the first that it tells may be of another year, as a recording's are.
    """
    event_ns, closed = arrivals.event_ns[number], clock[CLOSED]
    is_timed = event_ns != NOWHERE
    if not is_timed:
        is_ours = closed == NOWHERE or clock[IS_OURS]
        event_ns = arrivals.received_ns[number] if is_ours else max(closed, clock[LAST_EVENT])
    is_old = arrivals.is_snapshot[number] and event_ns < closed - timing.stale_ns
    is_other = is_timed and clock[IS_OURS] and abs(event_ns - closed) > timing.stale_ns
    if closed == NOWHERE or is_old or is_other:
        clock[CLOSED], clock[LAST_EVENT] = event_ns // timing.every_ns * timing.every_ns, event_ns
        clock[IS_OURS] = 1
    if is_timed:
        clock[IS_OURS] = 0
    return int(event_ns)


@compiled
def timetable(clock: Ints, arrivals: Arrivals, span: Ints, timing: Timing, rows: Ints) -> int:
    """
    Return how many instants come to an end, and write as many as there is room for.

    Args:
        clock: of the book, changed in place; its CLOSED is NOWHERE before the first message.
        arrivals: of a batch.
        span: the first message of the book, the one behind the last, and the shard's time after them.
        timing: when books are read off.
        rows: where the instants go.
    """
    count = 0
    for number in range(span[0], span[1]):
        if clock[CLOSED] != NOWHERE:
            gone_ns = arrivals.clock_ns[number] - clock[LAST_CLOCK] - timing.grace_ns
            count = _close(clock, clock[LAST_EVENT] + gone_ns, number, timing, rows, count)
        event_ns = _time(clock, arrivals, number, timing)
        count = _close(clock, event_ns, number, timing, rows, count)
        clock[UPDATES] += 1
        clock[LATE] += event_ns < clock[CLOSED]
        clock[LAST_RECEIVED] = max(clock[LAST_RECEIVED], arrivals.received_ns[number])
        if event_ns >= clock[LAST_EVENT]:
            clock[LAST_EVENT], clock[LAST_CLOCK] = event_ns, arrivals.clock_ns[number]
    if clock[CLOSED] != NOWHERE:
        now_ns = clock[LAST_EVENT] + span[2] - clock[LAST_CLOCK] - timing.grace_ns
        count = _close(clock, now_ns, span[1], timing, rows, count)
    return count
