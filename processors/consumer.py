"""What one group's work on one shard consists of."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from common.heartbeat import Figures
from common.inbox import Inbox
from common.redis_streams import Shard
from processors.knowledge import Knowledge
from processors.memory import Memory
from processors.processor import Processor
from processors.sharing import Grant
from processors.targets import Target


@dataclass
class Consumer:
    """One group's work on one shard: where it reads, what it knows, where it delivers."""

    processor: Processor
    process: str
    inbox: Inbox
    target: Target
    knowledge: Knowledge
    figures: Figures
    linger_s: float
    memory: Memory
    events: Shard
    grant: Grant
    is_dead: Callable[[str], bool]
    leaving: "asyncio.Task[Literal[True]]" = field(init=False)
    position: int = 0
    gathered_s: float = 0.0
    backlog: bool = True  # entries that were given to an earlier owner come first
