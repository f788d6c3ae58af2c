"""What a sub-command of mqadmin consists of: its options, and a function from them to an answer."""

import argparse
import codecs
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from broker_py.admin.targets import Outcome
from broker_py.cli.options import OUTPUTS, Exit, Parser
from broker_py.client.client import Client
from broker_py.errors import Unreachable

_TIME_FORMAT: Final = "%Y-%m-%d#%H:%M:%S:%f"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a sub-command found or did: as a value for JSON, as lines for a person, and what belongs on stderr."""

    data: Any
    lines: list[str]
    notes: list[str] = field(default_factory=list)
    status: int = Exit.DONE


@dataclass(frozen=True)
class SubCommand:
    """`add_options` adds what RocketMQ's command has; `takes_o` says that `-o` is one of these.

    `watched` commands show a state and have `--watch SECONDS`, which is `interval` in their options. Commands with
    `dry_run` delete or move something; where the option of that name is given they say what and leave it.
    """

    add_options: Callable[[Parser], None]
    run: Callable[[Client, argparse.Namespace], Awaitable[Answer]]
    takes_o: bool = False
    watched: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class OfflineCommand:
    """A command that needs no cluster; `run` prints for itself, as there may be much, and returns the exit status."""

    add_options: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], int]


class OutputOr(argparse.Action):
    """Option `-o` of a command where RocketMQ has one: `text`, `json`... are forms of output, all else its value."""

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


def whole(text: str) -> int:
    """Return a whole number."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a whole number") from None


_CONVERSIONS: Final[dict[str, Callable[[str], Any]]] = {"order": truth, "offset": natural, "offline": truth}


def checked(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a conversion whose ValueError argparse prints as it is."""

    def converted(text: str) -> Any:
        try:
            return convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return converted


def planned(what: str, targets: Sequence[str]) -> Answer:
    """Return the answer of a dry run: what would become of which targets."""
    return Answer(
        data={"dryRun": True, "would": what, "targets": list(targets)},
        lines=[f"would {what} at {target}" for target in targets],
        notes=["nothing was changed (--dry-run)"],
    )


def time_ms(text: str) -> int:
    """Return a time of the command line, in the local zone, in milliseconds."""
    if text.isdecimal():
        return int(text)
    try:
        return int(datetime.strptime(text, _TIME_FORMAT).timestamp() * 1000)
    except ValueError:
        raise ValueError(f"'{text}' is neither milliseconds nor yyyy-MM-dd#HH:mm:ss:SSS") from None


def charset(name: str) -> str:
    """Return the name of a charset."""
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"'{name}' is not a charset") from None


def topic_option(parser: Parser) -> None:
    """Add `-t TOPIC`."""
    parser.add_argument("-t", "--topic", required=True, metavar="TOPIC", type=str.strip, help="name of the topic")


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
                **({} if each.topic is None else {"topic": each.topic}),
                **({} if each.count is None else {"count": each.count}),
                **({} if each.error is None else {"error": str(each.error)}),
            }
            for each in outcomes
        ],
        lines=[done(each) for each in outcomes if each.error is None],
        notes=[f"{failed} at {each.address}: {each.error}" for each in errors],
        status=status,
    )
