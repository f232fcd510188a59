"""
While nothing comes: what is over by time alone is told, in a commit that moves no position.

A shard is silent up to when its ingesters have handed on all they heard, by their own word: while one is away, is
frozen or spools because Redis is full, the time stands still, for what it keeps was received in it. One that ended in
good order is not waited for.
"""

import polars as pl

from common.clock import NS_PER_MS, NS_PER_S, monotonic_s, now_ns
from common.place import Carried
from common.received import time_ms
from common.streams import Stream
from processors.appending import counts_of, entries_of
from processors.consumer import Consumer
from processors.processor import Made

QUIET_S = 2.0  # a record that reached us so long ago is in its shard by now
SETTLED_S = 5.0  # after a take-over or an outage: by then the ingesters are giving what they have kept


async def rest(work: Consumer) -> None:
    """
    Tell what is over by now, if the shard has been silent for long enough.

    The state goes with the commit, so that its next owner goes on behind what was told. A commit that fails leaves no
    state: what the checkpoint holds, of before or after, is gone back to.
    """
    state, shard = work.memory.timed(work.position), work.inbox.shard
    quiet_ns = time_ms(work.last_id) * NS_PER_MS + round(QUIET_S * NS_PER_S)
    is_wary = work.backlog or work.suspicion is not None or monotonic_s() < work.quiet_from_s
    if state is None or is_wary or work.leaving.done() or now_ns() < quiet_ns:
        return
    heard_ns = await work.inbox.handed_on_ns(parts[0] for parts in work.layout.values())
    silent_ns = max(0, (now_ns() if heard_ns is None else min(heard_ns, now_ns())) - quiet_ns)
    async with work.company.among():
        knowledge = await work.knowledge.at_rest(shard.number, work.position, state.oldest_ns)
        made = work.memory.rest(state, silent_ns, knowledge)
        if made is None:
            return
        rows = _rows(work, made)
        carried = Carried(entries_of([], rows, work.layout), state=state.save())
        await work.inbox.commit(work.position, work.position, (), carried)
        work.memory.rested(work.position)
    for topic, count in counts_of(rows).items():
        work.figures.counters[f"rows_total|{topic}"] += count


def _rows(work: Consumer, made: Made) -> dict[Stream, pl.DataFrame]:
    target = work.processor.target
    if not isinstance(target, Stream):  # an insert needs the name of a batch
        raise TypeError(f"{work.processor.program}: expected a stream as target of a state that rests, found {target}")
    return {**made.also, target: made.rows}
