"""What an action of the pages is: what is asked for it, how it is looked into, and where it leads back to."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from monitoring.actions.forms import Form
from monitoring.desk import Desk
from monitoring.doing.deeds import Deed, Who
from monitoring.doing.listings import Listings


@dataclass(frozen=True)
class Tools:
    """What actions work with."""

    desk: Desk
    listings: Listings


@dataclass(frozen=True)
class Input:
    """Something that a person is asked for before it can be said what would be done."""

    name: str
    label: str
    kind: Literal["text", "choice", "area"] = "text"
    choices: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True)
class Action:
    """
    An action: `fields` are what the link to it names, `inputs` what is asked for on its page.

    `look` changes nothing; it raises NotDone for what does not exist, and what the servers raise.
    """

    name: str
    title: str
    button: str
    back: str
    look: Callable[[Tools, Form, Who], Awaitable[Deed]]
    fields: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    is_asked_first: bool = field(default=False)  # nothing can be said before the inputs are given

    def given(self, form: Form) -> Form:
        """Return the fields that are this action's, each with a value."""
        names = (*self.fields, *(one.name for one in self.inputs), "seen")
        return {name: form[name] for name in names if form.get(name)}

    def is_ready(self, form: Form) -> bool:
        """Return whether it can be looked into."""
        return not self.is_asked_first or any(form.get(one.name) for one in self.inputs)
