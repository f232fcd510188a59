"""What fires and what is over: rules applied to one look after the other, each change told once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from monitoring.alert_rules import RULES
from monitoring.alert_terms import Facts, Rule, Thresholds

Key = tuple[str, str]


@dataclass(frozen=True)
class Alarm:
    """Something that a rule has found: since when, and whether it has lasted long enough to be told."""

    rule: str
    subject: str
    words: str
    since_s: float
    seen_s: float
    is_firing: bool = False

    @property
    def key(self) -> Key:
        """Return what makes it the same alarm at the next look."""
        return self.rule, self.subject


@dataclass(frozen=True)
class Change:
    """An alarm began or ended."""

    alarm: Alarm
    state: Literal["firing", "over"]


class Alarms:
    """Everything that is amiss at present."""

    def __init__(self, limits: Thresholds, rules: Sequence[Rule] = RULES, firing: Iterable[Alarm] = ()) -> None:
        self._limits = limits
        self._rules = {rule.name: rule for rule in rules}
        self._held: dict[Key, Alarm] = {alarm.key: alarm for alarm in firing}

    @property
    def firing(self) -> list[Alarm]:
        """Return what has been told and is not over."""
        return sorted((alarm for alarm in self._held.values() if alarm.is_firing), key=lambda alarm: alarm.since_s)

    def look(self, facts: Facts, now_s: float) -> list[Change]:
        """Take a look; return what has begun and what is over since the last one."""
        seen = self._seen(facts, now_s)
        changes: list[Change] = []
        for key in [*seen, *(key for key in self._held if key not in seen)]:
            alarm = seen.get(key) or self._held[key]
            rule = self._rules[alarm.rule]
            if alarm.is_firing and now_s - alarm.seen_s >= rule.clear_s:
                changes.append(Change(alarm, "over"))
                del self._held[key]
            elif key not in seen and not alarm.is_firing:
                del self._held[key]
            elif key in seen and not alarm.is_firing and now_s - alarm.since_s >= rule.after_s:
                self._held[key] = replace(alarm, is_firing=True)
                changes.append(Change(self._held[key], "firing"))
            else:
                self._held[key] = alarm
        return changes

    def _seen(self, facts: Facts, now_s: float) -> Mapping[Key, Alarm]:
        seen: dict[Key, Alarm] = {}
        for rule in self._rules.values():
            for sign in rule.judge(facts, self._limits):
                known = self._held.get((rule.name, sign.subject))
                since_s = known.since_s if known else now_s
                is_firing = known is not None and known.is_firing
                seen[rule.name, sign.subject] = Alarm(rule.name, sign.subject, sign.words, since_s, now_s, is_firing)
        return seen
