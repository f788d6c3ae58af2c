"""A slave's copies of its master's tables."""

import asyncio
import errno
from collections.abc import Callable, Coroutine
from typing import Any

from broker_py.broker.config import BrokerRole, MessageRequestMode
from broker_py.broker.metadata_sync import MetadataSync
from broker_py.broker.request_modes import RequestMode
from broker_py.model.group import GroupConfig
from broker_py.model.topic import TopicConfig
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.router import Router
from broker_py.seams import replace_file
from broker_py.store.timer_checkpoint import TimerCheckpoint, read_timer_checkpoint
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Reply
from tests.support.remoting import serving
from tests.unit.broker.site import Site

PATIENCE_SECONDS = 20.0


def a_slave() -> Site:
    return Site(broker_role=BrokerRole.SLAVE, broker_id=1)


def a_master() -> Site:
    """A master with a topic `M`, a group and an offset."""
    master = Site()
    master.topics.put(TopicConfig(topic_name="M"))
    master.groups.put(GroupConfig(group_name="g", retry_max_times=3))
    master.offsets.commit("g", "M", 0, 7)
    return master


def following(slave: Site, router: Router, until: Callable[[], bool], again: Callable[[], None] | None = None) -> None:
    """Have a slave follow the master that `router` serves until something is true; then `again`, if given."""

    async def scenario() -> None:
        async with serving(router) as server:
            client = RemotingClient()
            sync = MetadataSync(client, slave.topics, slave.groups, slave.offsets, slave.kept, slave.modes)
            task = asyncio.ensure_future(sync.run())
            sync.set_master(server.address)
            await wait(until)
            if again is not None:
                again()
                sync.set_master(None)
                sync.set_master(server.address)
                await wait(until)
            assert not task.done()
            task.cancel()
            await client.close()

    async def wait(condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.sleep(0.001)

    run(scenario())


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, PATIENCE_SECONDS))


def test_a_slave_takes_its_masters_topics_groups_and_offsets_over_durably() -> None:
    master, slave = a_master(), a_slave()
    following(slave, master.router, lambda: slave.offsets.offset("g", "M", 0) == 7)
    again = Site(slave.files.kill(), broker_role=BrokerRole.SLAVE, broker_id=1)
    for site in (slave, again):
        assert site.topics.get("M") == TopicConfig(topic_name="M")
        assert site.topics.version == master.topics.version
        assert site.groups.get("g") == GroupConfig(group_name="g", retry_max_times=3)
        assert site.groups.version == master.groups.version
        assert site.offsets.offset("g", "M", 0) == 7


def test_a_slave_keeps_its_masters_delay_offsets_as_they_were_sent_and_its_request_modes() -> None:
    master, slave = a_master(), a_slave()
    delays = b'{"offsetTable":{3:250}}'
    master.kept.take_delay_offsets(delays)
    mode = RequestMode("T", "g", MessageRequestMode.POP, 8)
    master.modes.put(mode)
    following(slave, master.router, lambda: slave.modes.get("T", "g") == mode)
    assert slave.kept.delay_offsets() == delays
    assert slave.files.exists("/store/config/messageRequestMode.json")


def test_a_slave_notes_how_far_its_masters_timer_is_beside_its_own() -> None:
    master, slave = a_master(), a_slave()
    file = "/store/config/timercheck"
    replace_file(master.files, file, TimerCheckpoint(5000, 520, 10, 10, 0, 7, 3).encode().ljust(4096, b"\0"))
    replace_file(slave.files, file, TimerCheckpoint(1000, 104, 2, 2).encode().ljust(4096, b"\0"))
    wanted = TimerCheckpoint(5000, 104, 2, 10, 0, 7, 3)
    following(slave, master.router, lambda: read_timer_checkpoint(slave.files, file) == wanted)


def test_a_master_without_these_files_is_followed_all_the_same(caplog: Any) -> None:
    async def scenario() -> None:
        master, slave = a_master(), a_slave()
        router = Router()
        for code in (
            RequestCode.GET_ALL_TOPIC_CONFIG,
            RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
            RequestCode.GET_ALL_CONSUMER_OFFSET,
        ):
            router.on_command(code, lambda command, _: master.ask(command.code))
        client = RemotingClient()
        async with serving(router) as server:
            sync = MetadataSync(client, slave.topics, slave.groups, slave.offsets, slave.kept, slave.modes)
            await sync._copy_once(server.address)
        await client.close()
        assert sync.fault is None
        assert not slave.files.exists("/store/config/delayOffset.json")

    run(scenario())


def test_a_topic_that_can_not_be_served_here_is_said_and_the_table_not_taken() -> None:
    async def scenario() -> None:
        master, slave = a_master(), a_slave()
        master.topics.put(TopicConfig(topic_name="B", attributes={"queue.type": "BatchCQ"}))
        client = RemotingClient()
        async with serving(master.router) as server:
            sync = MetadataSync(client, slave.topics, slave.groups, slave.offsets, slave.kept, slave.modes)
            await sync._copy_once(server.address)
        await client.close()
        assert "the topic B has queue.type=BatchCQ, which this broker can't serve" in str(sync.fault)
        assert "M" not in slave.topics

    run(scenario())


def test_what_the_master_has_deleted_goes_from_the_slave_too() -> None:
    master, slave = a_master(), a_slave()
    slave.topics.put(TopicConfig(topic_name="Old"))
    following(slave, master.router, lambda: "M" in slave.topics)
    assert "Old" not in slave.topics


def test_an_unchanged_table_is_not_written_again() -> None:
    master, slave = a_master(), a_slave()
    written: list[str] = []
    asked = 0
    offsets = RequestCode.GET_ALL_CONSUMER_OFFSET

    router = Router()
    for code in (RequestCode.GET_ALL_TOPIC_CONFIG, RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG):
        router.on_command(code, lambda command, _: master.ask(command.code))

    def all_offsets(*_: object) -> Reply:
        nonlocal asked
        asked += 1
        return master.ask(offsets)

    router.on_command(offsets, all_offsets)

    def note() -> None:
        nonlocal asked
        asked = 0
        slave.files.on_step = written.append

    following(slave, router, lambda: asked > 0 and slave.offsets.offset("g", "M", 0) == 7, note)
    assert written == []


def test_a_masters_tables_that_can_not_be_read_change_nothing_and_are_asked_for_again() -> None:
    slave = a_slave()
    version = slave.topics.version
    bodies = [b"x", b"[]", b'{"topicConfigTable":[]}', b'{"topicConfigTable":{"T":5},"dataVersion":{"counter":9}}']
    for body in bodies:
        asked: list[int] = []
        router = Router()

        def all_topics(*_: object, asked: list[int] = asked, body: bytes = body) -> Reply:
            asked.append(1)
            return Reply(body=body)

        router.on_command(RequestCode.GET_ALL_TOPIC_CONFIG, all_topics)
        following(slave, router, lambda asked=asked: bool(asked), asked.clear)  # type: ignore[misc]
    assert slave.topics.version == version


def test_a_full_disk_ends_no_copying() -> None:
    master, slave = a_master(), a_slave()
    slave.files.fail_writes = errno.ENOSPC
    asked: list[int] = []
    router = Router()

    def all_topics(*_: object) -> Reply:
        asked.append(1)
        return master.ask(RequestCode.GET_ALL_TOPIC_CONFIG)

    router.on_command(RequestCode.GET_ALL_TOPIC_CONFIG, all_topics)
    following(slave, router, lambda: bool(asked), asked.clear)
    assert "M" not in slave.topics
    slave.files.fail_writes = None
    following(slave, master.router, lambda: "M" in slave.topics)


def test_a_master_that_is_gone_is_told_once_and_its_return_too(caplog: Any) -> None:
    async def scenario() -> None:
        slave = a_slave()
        client = RemotingClient()
        sync = MetadataSync(client, slave.topics, slave.groups, slave.offsets, slave.kept, slave.modes)
        await sync._copy_once("127.0.0.1:1")
        await sync._copy_once("127.0.0.1:1")
        assert len([record for record in caplog.records if "were not copied" in record.message]) == 1
        async with serving(a_master().router) as server:
            with caplog.at_level("INFO"):
                await sync._copy_once(server.address)
        assert "copied from master" in caplog.records[-1].message
        assert "M" in slave.topics
        await client.close()

    run(scenario())
