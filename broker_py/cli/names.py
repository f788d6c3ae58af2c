"""Names that exist: to complete what is typed, and to say which one was meant. Asked for in at most a second."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Iterable
from difflib import get_close_matches
from typing import Final

from broker_py.admin.targets import TOPIC_NOT_EXIST, all_brokers
from broker_py.client.client import Client
from broker_py.errors import BrokerPyError, RequestFailed
from broker_py.model.topic import DLQ_PREFIX, RETRY_PREFIX

_LIMIT_SECONDS: Final = 1.0


async def _topics(client: Client) -> Iterable[str]:
    return [each for each in await client.name_servers.topics() if not each.startswith((RETRY_PREFIX, DLQ_PREFIX))]


async def _groups(client: Client) -> Iterable[str]:
    """Groups are known to name servers by their retry topics."""
    names = await client.name_servers.topics()
    return [each.removeprefix(RETRY_PREFIX) for each in names if each.startswith(RETRY_PREFIX)]


async def _clusters(client: Client) -> Iterable[str]:
    return (await client.name_servers.cluster_info()).clusters


async def _broker_names(client: Client) -> Iterable[str]:
    return (await client.name_servers.cluster_info()).brokers


async def _addresses(client: Client) -> Iterable[str]:
    return [broker.address for broker in all_brokers(await client.name_servers.cluster_info())]


# Where a command's option is kept → what its values are.
KINDS: Final[dict[str, Callable[[Client], Awaitable[Iterable[str]]]]] = {
    "topic": _topics,
    "group": _groups,
    "source": _groups,
    "target": _groups,
    "cluster": _clusters,
    "broker_name": _broker_names,
    "broker": _addresses,
}
_WORDS: Final = {
    "topic": "topic",
    "group": "group",
    "source": "group",
    "target": "group",
    "cluster": "cluster",
    "broker_name": "broker",
}


async def names_of(client: Client, kind: str) -> list[str]:
    """Return the names of a kind, sorted; none where a name server does not tell them in time."""
    try:
        return sorted(await asyncio.wait_for(_all(client, kind), _LIMIT_SECONDS))
    except (BrokerPyError, asyncio.TimeoutError):
        return []


async def _all(client: Client, kind: str) -> Iterable[str]:
    return await KINDS[kind](client)


async def near_names(client: Client, options: argparse.Namespace, error: BrokerPyError) -> list[str]:
    """Return for each name of the command line that does not exist, and is like one that does, which that is."""
    if isinstance(error, RequestFailed) and error.code != TOPIC_NOT_EXIST:
        return []
    hints: list[str] = []
    for kind, word in _WORDS.items():
        given = getattr(options, kind, None)
        if not isinstance(given, str):
            continue
        known = await names_of(client, kind)
        near = [] if given in known else get_close_matches(given, known, n=1, cutoff=0.6)
        hints += [f"there is no {word} {given}; did you mean {each}?" for each in near]
    return hints
