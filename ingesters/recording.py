"""Whether a venue is recorded byte for byte: by the settings, or while it runs by a word in Redis."""

import asyncio

from common.log import logger
from common.redis_facts import words_of
from common.redis_streams import RedisError
from common.streams import RECORDING
from ingesters.ingester import Ingester
from ingesters.tape import Tape

ANSWER_S = 0.5  # a Redis that stands still must not keep anybody from being told to stop

log = logger("record")


async def keep_recording(tape: Tape, work: Ingester) -> None:
    """Switch the tape as it is wanted now, and write what it has gathered; Redis being away changes nothing."""
    program = work.venue.program
    try:
        async with asyncio.timeout(ANSWER_S):
            is_wanted = program in work.settings.record or program in await words_of(work.redis, RECORDING)
    except (RedisError, TimeoutError):
        is_wanted = tape.is_on
    if is_wanted != tape.is_on:
        log.info("record.switched", venue=work.venue.name, is_on=is_wanted)
    tape.switch(is_on=is_wanted)
    write(tape, work)


def write(tape: Tape, work: Ingester) -> None:
    """Write what the tape has gathered; a full disk ends no connection, but it is told."""
    try:
        tape.flush()
    except OSError as error:
        work.figures.failed(f"recording: {error}")
        log.warning("record.lost", venue=work.venue.name, reason=str(error))
