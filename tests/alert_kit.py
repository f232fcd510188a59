"""The dashboard's alarms at work in this process: real readings and real rules, whose minutes are tenths of seconds."""

import asyncio
import threading
from dataclasses import replace

from common import redis_streams
from common.redis_readings import RedisReader
from monitoring.alert_rules import RULES
from monitoring.alerting import Alerting
from monitoring.notices import Programs
from monitoring.notifiers import Notifier, Post
from monitoring.store_readings import StoreReader
from monitoring.watch import Watch

FASTER = 50
RULES_IN_A_HURRY = tuple(replace(rule, after_s=rule.after_s / FASTER, clear_s=rule.clear_s / FASTER) for rule in RULES)


class Lookout:
    """Looks at a fleet from a thread of its own; `told` are the messages of its alarms, in order."""

    def __init__(self, settings, supervisor=""):
        self.told = []
        self._stop = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(settings, supervisor),))
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    def states(self, rule, subject):
        """Return what was told of an alarm, in order."""
        return [state for *which, state in self.alarms if which == [rule, subject]]

    @property
    def firing(self):
        """Return rule and subject of what fires."""
        last = {(rule, subject): state for rule, subject, state in self.alarms}
        return [which for which, state in last.items() if state == "firing"]

    @property
    def alarms(self):
        """Return rule, subject and state of all that was told, in order."""
        told = [message.facts for message in self.told]
        return [(one["rule"], one["subject"], one["state"]) for one in told if one["event"] == "alert"]

    async def _run(self, settings, supervisor):
        redis = redis_streams.connect(settings)
        watch = Watch(RedisReader(redis), StoreReader.of(settings))
        post = Post([Notifier("list", self.told.append)])
        programs = Programs(supervisor, redis)
        alerting = Alerting(settings, redis, watch, post, programs, RULES_IN_A_HURRY)
        async with asyncio.TaskGroup() as tasks:
            for work in (watch.run(self._stop), alerting.run(), post.run(self._stop)):
                tasks.create_task(work)
            tasks.create_task(programs.run(watch, post, self._stop))
        await redis.aclose()
