"""mqadmin: looks at clusters and changes them.

Commands, options and tables are RocketMQ's (tools command/MQAdminStartup). What differs on purpose: exit statuses
tell failures, data is on stdout and the rest on stderr, and every command has `--output json`.
"""

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Final

from broker_py.cli.options import Exit, Parser, print_error, print_json, print_progress, run
from broker_py.errors import ConfigError, RequestFailed

if TYPE_CHECKING:
    from broker_py.cli.commands.subcommand import Answer, OfflineCommand, SubCommand

PROG: Final = "mqadmin"
# Command → (module below `commands`, which is imported only when the command is used; what it does).
COMMANDS: Final = {
    "clusterList": ("clusters", "List clusters, their brokers, and what these do now"),
    "topicList": ("topics", "List topics"),
    "topicRoute": ("topics", "Show which brokers have queues of a topic"),
    "topicStatus": ("topics", "Show the offsets of a topic's queues"),
    "updateTopic": ("topics", "Create a topic or change it"),
    "deleteTopic": ("topics", "Delete a topic from brokers and name servers"),
    "updateTopicPerm": ("topics", "Change who may use a topic: writers, readers, both"),
    "consumerProgress": ("groups", "Show how far consumer groups are"),
    "getConsumerConfig": ("subscriptions", "Show the settings of a consumer group"),
    "updateSubGroup": ("subscriptions", "Create a consumer group or change it"),
    "deleteSubGroup": (
        "subscriptions",
        "Delete a consumer group, on a whole cluster with its retries and dead letters",
    ),
    "brokerStatus": ("brokers", "Show a broker's runtime values"),
    "getBrokerConfig": ("brokers", "Show a broker's properties"),
    "updateBrokerConfig": ("brokers", "Change a property of a running broker"),
    "haStatus": ("replication", "Show how far the slaves of a master are"),
    "wipeWritePerm": ("brokers", "Have all name servers take write permission from a broker"),
    "addWritePerm": ("brokers", "Have all name servers give write permission back to a broker"),
    "queryMsgByOffset": ("messages", "Show the message at a queue offset"),
    "queryMsgByKey": ("messages", "Show which messages of a topic have a key"),
    "queryMsgByUniqueKey": ("messages", "Show the message with the id that its producer gave"),
    "queryMsgById": ("messages", "Show the message with the id that its broker gave"),
    "sendMessage": ("messages", "Send a message"),
    "consumeMessage": ("messages", "Show messages of a topic, without moving any group's offsets"),
    "checkStore": ("stores", "Say what is in a store directory and what is wrong with it; changes nothing"),
    "dumpLog": ("stores", "Print the messages of a store directory's log; changes nothing"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run mqadmin with `argv` (the process's own when None) and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["help"] and len(arguments) > 1:
        arguments = [arguments[1], "--help"]
    if not arguments:
        print(_overview(), file=sys.stderr)
        return Exit.USAGE
    name = arguments[0]
    if name in {"-h", "--help", "help"}:
        print(_overview())
        return Exit.DONE
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "mqadmin -h lists all"
        print_error(PROG, f"The sub command {name} not exist; {hint}")
        return Exit.USAGE
    return _run(name, arguments[1:])


def _overview() -> str:
    lines = [f"   {name:<20} {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(["The mqadmin commands are:", *lines, "", "See 'mqadmin help COMMAND' for the options of one."])


def _run(name: str, arguments: list[str]) -> int:
    from broker_py.cli.commands.subcommand import OfflineCommand  # noqa: PLC0415

    module, summary = COMMANDS[name]
    command: SubCommand | OfflineCommand = import_module(f"broker_py.cli.commands.{module}").COMMANDS[name]
    parser = Parser(f"{PROG} {name}", summary)
    if isinstance(command, OfflineCommand):
        parser.add_output()
        command.add_options(parser)
        return run(parser, lambda options: _offline(parser, command, options), arguments)
    parser.add_namesrv()
    parser.add_credentials()
    if command.takes_o:
        parser.add_argument("--output", choices=("text", "json"), default="text", help="form of the output; also -o")
    else:
        parser.add_output()
    command.add_options(parser)
    return run(parser, lambda options: _answer(parser, command, options), arguments)


def _offline(parser: Parser, command: "OfflineCommand", options: argparse.Namespace) -> int:
    try:
        return command.run(options)
    except ConfigError as error:
        parser.error(str(error))


def _answer(parser: Parser, command: "SubCommand", options: argparse.Namespace) -> int:
    import asyncio  # noqa: PLC0415  help and usage errors don't wait for it

    try:
        return asyncio.run(_ask(parser.prog, command, options))
    except ConfigError as error:
        parser.error(str(error))
    except RequestFailed as error:  # a remark may go on with links to documentation
        print_error(parser.prog, f"{error.remark.partition(chr(10))[0]} (CODE: {error.code})")
        return Exit.FAILED


async def _ask(prog: str, command: "SubCommand", options: argparse.Namespace) -> int:
    import asyncio  # noqa: PLC0415

    from broker_py.cli.session import open_client  # noqa: PLC0415

    interval: int | None = getattr(options, "interval", None)
    async with open_client(options.namesrv, options.credentials, options.tls) as client:
        while True:
            answer = await command.run(client, options)
            _show(prog, answer, options.output)
            if interval is None:
                return answer.status
            await asyncio.sleep(interval)


def _show(prog: str, answer: "Answer", output: str) -> None:
    if output == "json":
        print_json(answer.data)
    else:
        for line in answer.lines:
            print(line)
    for note in answer.notes:
        if answer.status == Exit.DONE:
            print_progress(note)
        else:
            print_error(prog, note)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
