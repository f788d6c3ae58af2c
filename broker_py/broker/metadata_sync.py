"""A slave's copies of its master's topics, groups, consumer and delay offsets (broker slave/SlaveSynchronize).

Asked for every few seconds (Java: every minute), so that consumers that come over when the master is gone see at
most that much again. The master is asked on its ordinary port. How far its timed messages are is noted, what it
counts of them is not.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.foreign_store import topic_faults
from broker_py.broker.groups import GroupTable
from broker_py.broker.kept_files import KeptFiles
from broker_py.broker.request_modes import RequestModes
from broker_py.broker.topics import TopicTable, topics_of
from broker_py.errors import BrokerPyError, RequestFailed, StoreError
from broker_py.model.data_version import DataVersion
from broker_py.model.fields import dict_of
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import expect_success
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.fastjson import loads_trusted

log = logging.getLogger(__name__)

PERIOD_SECONDS: Final = 2.0
_TIMEOUT_SECONDS: Final = 3.0


class MetadataSync:
    """Copies the tables of one master; `set_master` says which, None for the time there is none."""

    def __init__(
        self,
        client: RemotingClient,
        topics: TopicTable,
        groups: GroupTable,
        offsets: ConsumerOffsetTable,
        kept: KeptFiles,
        modes: RequestModes,
    ) -> None:
        self._client = client
        self._topics = topics
        self._groups = groups
        self._offsets = offsets
        self._kept = kept
        self._modes = modes
        self._master: str | None = None
        self._fault: str | None = None
        self._changed = asyncio.Event()

    @property
    def fault(self) -> str | None:
        """Why the last copying failed, None when it didn't."""
        return self._fault

    def set_master(self, address: str | None) -> None:
        """Copy from the master at `address` from now on."""
        if address != self._master:
            self._master = address
            self._changed.set()

    async def run(self) -> None:
        """Copy again and again, until cancelled."""
        while True:
            self._changed.clear()
            if self._master is not None:
                await self._copy_once(self._master)
            try:
                await asyncio.wait_for(self._changed.wait(), PERIOD_SECONDS)
            except asyncio.TimeoutError:
                continue

    async def _copy_once(self, master: str) -> None:
        try:
            await self._copy_topics(master)
            await self._copy_groups(master)
            await self._copy_offsets(master)
            await self._copy_file(master, RequestCode.GET_ALL_DELAY_OFFSET, self._kept.take_delay_offsets)
            await self._copy_file(master, RequestCode.GET_TIMER_CHECK_POINT, self._kept.take_timer_checkpoint)
            await self._copy_file(master, RequestCode.GET_ALL_MESSAGE_REQUEST_MODE, self._modes.take)
        except (BrokerPyError, OSError) as error:
            if self._fault is None:
                log.warning("topics, groups and offsets were not copied from master %s: %s", master, error)
            self._fault = str(error)
        else:
            if self._fault is not None:
                log.info("topics, groups and offsets are copied from master %s again", master)
            self._fault = None

    async def _ask(self, master: str, code: int) -> bytes:
        reply = await self._client.request(master, Command(code), _TIMEOUT_SECONDS)
        return expect_success(reply).body

    async def _copy_topics(self, master: str) -> None:
        content = loads_trusted(await self._ask(master, RequestCode.GET_ALL_TOPIC_CONFIG))
        version = DataVersion.from_json(dict_of(content, "dataVersion"))
        if version != self._topics.version:
            topics = topics_of(content)
            faults = topic_faults(topics.values())
            if faults:
                raise StoreError("; ".join(faults))
            self._topics.replace_all(topics, version)

    async def _copy_groups(self, master: str) -> None:
        content = loads_trusted(await self._ask(master, RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG))
        if DataVersion.from_json(dict_of(content, "dataVersion")) != self._groups.version:
            self._groups.replace_all(content)

    async def _copy_offsets(self, master: str) -> None:
        content = loads_trusted(await self._ask(master, RequestCode.GET_ALL_CONSUMER_OFFSET))
        self._offsets.merge(content)
        self._offsets.save()

    async def _copy_file(self, master: str, code: int, take: Callable[[bytes], None]) -> None:
        try:
            text = await self._ask(master, code)
        except RequestFailed as error:
            if error.code != ResponseCode.REQUEST_CODE_NOT_SUPPORTED:  # an older master has no such file
                raise
        else:
            take(text)
