"""A command with commands of its own, one of which is meant when none is named: `fleet streams` is `streams ls`."""

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperGroup

from monitoring.cli.printing import MANNER, Manner

Command = tuple[str, Callable[..., None], str]
HELP = ("--help",)
SEPARATOR = re.compile(r" {2}\|\s+|\n {2,}")
EVERYWHERE = {
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="No messages: the exit code says how it went.")],
    "no_color": Annotated[bool, typer.Option("--no-color", help="No colour, as with NO_COLOR.")],
}


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
        made.command(name, epilog=one_a_line(examples))(_with_manner(run))
    return made


def _with_manner(run: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes what every command takes."""

    @wraps(run)
    def mannered(*, quiet: bool, no_color: bool, **given: Any) -> None:  # noqa: ANN401  what the command itself takes
        MANNER.set(Manner(is_quiet=quiet, is_plain=no_color))
        run(**given)

    signature = inspect.signature(run)
    options = (
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in EVERYWHERE.items()
    )
    # What the command line is made of reads this.
    mannered.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *options])  # type: ignore[attr-defined]
    return mannered


def family_of(family: Family) -> typer.Typer:
    """Return a family as a part of the command line."""

    class Group(_Lenient):
        default = family.commands[0][0]

    return typer_of(family.words, family.commands, epilog=one_a_line(family.examples), cls=Group)


def one_a_line(examples: str) -> str:
    """Return examples, which two spaces and a bar part in our texts, so that none is taken for a part of a pipe."""
    lines = SEPARATOR.split(examples.strip().removeprefix("Examples:").strip())
    return "\n\n".join(["Examples:", *(line.replace("\n", " ") for line in lines)])


class _Lenient(TyperGroup):
    """Commands of which one is meant when the first word names none."""

    default: ClassVar[str]

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # its base is private
        """Put the default command's name where none stands."""
        named = bool(args) and (args[0] in self.commands or args[0] in HELP)
        is_asked = not ctx.resilient_parsing  # a shell only wants to know what could come next
        return super().parse_args(ctx, [self.default, *args] if is_asked and not named else args)
