"""What one group's work on one shard consists of."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from common.heartbeat import Figures
from common.inbox import Inbox
from processors.appending import Layout
from processors.company import Company
from processors.knowledge import Knowledge
from processors.manifest import Suspicion
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
    layout: Layout
    grant: Grant
    is_dead: Callable[[str], bool]
    leaving: "asyncio.Task[Literal[True]]" = field(init=False)
    company: Company
    position: int = 0
    last_id: str = "0-0"
    suspicion: Suspicion | None = None
    doubt_until: int = 0  # records before this may stand already, under names that Redis has forgotten
    gathered_s: float = 0.0
    quiet_from_s: float = 0.0  # when a silence of the shard counts as one
    backlog: bool = True  # entries that were given to an earlier owner come first
