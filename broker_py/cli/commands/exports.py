"""mqadmin exportMetadata, exportConfigs and exportMetrics (tools command/export)."""

import argparse
import json
import time
from pathlib import Path
from typing import Any, Final

from broker_py.admin.exports import (
    broker_groups,
    broker_topics,
    cluster_metadata,
    cluster_metrics,
    cluster_settings,
)
from broker_py.cli.commands.subcommand import Answer, SubCommand, add_broker_or_cluster
from broker_py.cli.options import Parser
from broker_py.client.client import Client
from broker_py.errors import ConfigError

_DIRECTORY: Final = "/tmp/rocketmq/export"  # noqa: S108  RocketMQ's


def _path_option(parser: Parser) -> None:
    parser.add_argument(
        "-f", "--filePath", dest="directory", default=_DIRECTORY, metavar="DIR", help=f"where to write ({_DIRECTORY})"
    )


def _cluster_options(parser: Parser) -> None:
    parser.add_argument("-c", "--clusterName", dest="cluster", required=True, metavar="NAME", help="the cluster")
    _path_option(parser)


def _metadata_options(parser: Parser) -> None:
    add_broker_or_cluster(parser)
    _path_option(parser)
    parser.add_argument("-t", "--topic", dest="topics_only", action="store_true", help="only topics")
    parser.add_argument("-g", "--subscriptionGroup", dest="groups_only", action="store_true", help="only groups")
    parser.add_argument("-s", "--specialTopic", dest="special", action="store_true", help="also retries, dead letters")


def _write(directory: str, name: str, data: dict[str, Any]) -> Answer:
    path = Path(directory) / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}") from None
    return Answer(data=data, lines=[f"export {path} success"])


async def _metadata(client: Client, options: argparse.Namespace) -> Answer:
    if options.broker is not None:
        topics = await broker_topics(client, options.broker, with_special=options.special)
        groups = await broker_groups(client, options.broker)
    else:
        topics, groups = await cluster_metadata(client, options.cluster, with_special=options.special)
    data: dict[str, Any] = {}
    if not options.groups_only:
        data["topicConfigTable"] = {name: topics[name].to_json() for name in sorted(topics)}
    if not options.topics_only:
        data["subscriptionGroupTable"] = {name: groups[name].to_json() for name in sorted(groups)}
    name = "topic" if options.topics_only else "subscriptionGroup" if options.groups_only else "metadata"
    return _write(options.directory, f"{name}.json", data | {"exportTime": time.time_ns() // 1_000_000})


async def _settings(client: Client, options: argparse.Namespace) -> Answer:
    return _write(options.directory, "configs.json", await cluster_settings(client, options.cluster))


async def _metrics(client: Client, options: argparse.Namespace) -> Answer:
    return _write(options.directory, "metrics.json", await cluster_metrics(client, options.cluster))


COMMANDS: Final = {
    "exportMetadata": SubCommand(_metadata_options, _metadata),
    "exportConfigs": SubCommand(_cluster_options, _settings),
    "exportMetrics": SubCommand(_cluster_options, _metrics),
}
