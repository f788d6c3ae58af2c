"""What a sub-command of mqadmin consists of: its options, and a function from them to an answer."""

import argparse
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from broker_py.admin.targets import Outcome
from broker_py.cli.options import Exit, Parser
from broker_py.client.client import Client
from broker_py.errors import Unreachable

OUTPUTS: Final = ("text", "json")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a sub-command found or did: as a value for JSON, as lines for a person, and what belongs on stderr."""

    data: Any
    lines: list[str]
    notes: list[str] = field(default_factory=list)
    status: int = Exit.DONE


@dataclass(frozen=True)
class SubCommand:
    """`add_options` adds what RocketMQ's command has; `takes_o` says that `-o` is one of these."""

    add_options: Callable[[Parser], None]
    run: Callable[[Client, argparse.Namespace], Awaitable[Answer]]
    takes_o: bool = False


@dataclass(frozen=True)
class OfflineCommand:
    """A command that needs no cluster; `run` prints for itself, as there may be much, and returns the exit status."""

    add_options: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], int]


class OutputOr(argparse.Action):
    """Option `-o` of a command where RocketMQ has one: `text` and `json` are forms of output, all else its value."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Store the value where it belongs."""
        if option_string == "-o" and values in OUTPUTS:
            namespace.output = values
            return
        try:
            setattr(namespace, self.dest, _CONVERSIONS[self.dest](str(values)))
        except ValueError as error:
            parser.error(f"argument {option_string}: {error}")


def truth(text: str) -> bool:
    """Return a boolean of the command line."""
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"'{text}' is neither true nor false")
    return text.lower() == "true"


def natural(text: str) -> int:
    """Return a number from 0 on."""
    if not text.isdecimal():
        raise ValueError(f"'{text}' is not a number from 0 on")
    return int(text)


def positive(text: str) -> int:
    """Return a number from 1 on."""
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"'{text}' is not a number from 1 on")
    return int(text)


_CONVERSIONS: Final[dict[str, Callable[[str], Any]]] = {"order": truth, "offset": natural}


def checked(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a conversion whose ValueError argparse prints as it is."""

    def converted(text: str) -> Any:
        try:
            return convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return converted


def add_broker_or_cluster(parser: Parser) -> None:
    """Add `-b ADDR` and `-c NAME`, of which one must be given."""
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("-b", "--brokerAddr", dest="broker", metavar="ADDR", help="one broker, by host:port")
    group.add_argument("-c", "--clusterName", dest="cluster", metavar="NAME", help="all masters of a cluster")


def answer_of_outcomes(outcomes: list[Outcome], done: Callable[[Outcome], str], failed: str) -> Answer:
    """Return the answer of a change at several daemons; the worst outcome decides on the exit status."""
    errors = [outcome for outcome in outcomes if outcome.error is not None]
    status = Exit.DONE
    if errors:
        status = Exit.UNREACHABLE if any(isinstance(each.error, Unreachable) for each in errors) else Exit.FAILED
    return Answer(
        data=[
            {
                "address": each.address,
                "done": each.error is None,
                **({} if each.count is None else {"count": each.count}),
                **({} if each.error is None else {"error": str(each.error)}),
            }
            for each in outcomes
        ],
        lines=[done(each) for each in outcomes if each.error is None],
        notes=[f"{failed} at {each.address}: {each.error}" for each in errors],
        status=status,
    )
