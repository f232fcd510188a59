"""A command with commands of its own, one of which is meant when none is named: `fleet streams` is `streams ls`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import typer
from typer.core import TyperGroup

Command = tuple[str, Callable[..., None], str]
HELP = ("--help",)


@dataclass(frozen=True)
class Family:
    """Commands under one name; the first of them is meant when none is named."""

    name: str
    words: str
    commands: tuple[Command, ...]
    examples: str


def typer_of(
    words: str, commands: Iterable[Command], *, epilog: str = "", cls: type[TyperGroup] | None = None
) -> typer.Typer:
    """Return commands under a common name."""
    made = typer.Typer(cls=cls, help=words, epilog=epilog, no_args_is_help=cls is None, pretty_exceptions_enable=False)
    for name, run, examples in commands:
        made.command(name, epilog=examples)(run)
    return made


def family_of(family: Family) -> typer.Typer:
    """Return a family as a part of the command line."""

    class Group(_Lenient):
        default = family.commands[0][0]

    return typer_of(family.words, family.commands, epilog=family.examples, cls=Group)


class _Lenient(TyperGroup):
    """Commands of which one is meant when the first word names none."""

    default: ClassVar[str]

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # its base is private
        """Put the default command's name where none stands."""
        named = bool(args) and (args[0] in self.commands or args[0] in HELP)
        is_asked = not ctx.resilient_parsing  # a shell only wants to know what could come next
        return super().parse_args(ctx, [self.default, *args] if is_asked and not named else args)
