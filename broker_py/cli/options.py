"""What all commands have in common: exit statuses, errors as one sentence on stderr, options of the same name."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from broker_py.errors import BrokerPyError, Unreachable


class Exit:
    """Exit statuses of all commands."""

    DONE: Final = 0
    FAILED: Final = 1
    USAGE: Final = 2  # argparse exits with it
    UNREACHABLE: Final = 3
    INTERRUPTED: Final = 130


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose options can't be abbreviated: what works today must not depend on what comes later."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(prog=command, description=description, allow_abbrev=False)

    def add_namesrv(self) -> None:
        """Add `-n`, with RocketMQ's environment variable as its default."""
        self.add_argument(
            "-n",
            "--namesrvAddr",
            dest="namesrv",
            metavar="ADDR;ADDR",
            default=os.environ.get("NAMESRV_ADDR"),
            help="name servers, host:port, several separated by ; (default: $NAMESRV_ADDR)",
        )

    def add_credentials(self) -> None:
        """Add `--credentials` and `--tls`, files since the arguments of a process are no secret."""
        self.add_argument(
            "--credentials",
            metavar="FILE",
            help="sign with the accessKey and secretKey in this file (default: $ROCKETMQ_HOME/conf/tools.yml)",
        )
        self.add_argument(
            "--tls",
            metavar="FILE",
            default=os.environ.get("ROCKETMQ_TLS_CONFIG") or None,
            help="connect by TLS, as this tls.properties says (default: $ROCKETMQ_TLS_CONFIG)",
        )

    def add_output(self) -> None:
        """Add `-o text|json`."""
        self.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form of the output")


def run(
    parser: argparse.ArgumentParser, command: Callable[[argparse.Namespace], int], argv: Sequence[str] | None
) -> int:
    """Parse `argv` (the process's own when None), run the command and return its exit status."""
    options = parser.parse_args(argv)
    try:
        status = command(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokerPyError as error:
        print_error(parser.prog, str(error))
        return Exit.UNREACHABLE if isinstance(error, Unreachable) else Exit.FAILED
    return status


def print_error(command: str, text: str) -> None:
    """Print what went wrong to stderr, a line at a time, each with the command's name in front."""
    for line in text.splitlines():
        print(f"{command}: {line}", file=sys.stderr)


def print_progress(text: str) -> None:
    """Print what is being done, for a person, to stderr."""
    print(text, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print a result as JSON to stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
