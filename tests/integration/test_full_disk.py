"""A broker on a disk of 16 MiB: when it deletes, when it refuses, and how it goes on."""

import asyncio
from typing import Any

import pytest

from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.fastjson import loads_object
from broker_py.wire.headers.send import SendRequest
from tests.support.cluster import Cluster, Daemon, until
from tests.support.direct import Direct
from tests.support.small_disk import SmallDisk

DISK_BYTES = 16 << 20
FILE_BYTES = 256 << 10
BODY = bytes(4000)
RESUMES_SECONDS = 5.0


async def send(direct: Direct, broker: Daemon, body: bytes) -> tuple[int, str]:
    """Return code and remark of the answer."""
    header = SendRequest("producers", "T", 0, born_timestamp=1_700_000_000_000)
    reply = await direct.ask(broker.address, RequestCode.SEND_MESSAGE_V2, header.to_ext(), body)
    return reply.code, reply.remark or ""


async def runtime(direct: Direct, broker: Daemon) -> dict[Any, Any]:
    table: dict[Any, Any] = loads_object((await direct.tell(broker.address, RequestCode.GET_BROKER_RUNTIME_INFO)).body)[
        "table"
    ]
    return table


async def min_offset(direct: Direct, broker: Daemon) -> int:
    return int((await runtime(direct, broker))["commitLogMinOffset"])


def small_broker(cluster: Cluster, **properties: object) -> tuple[Daemon, SmallDisk]:
    own = {
        "mappedFileSizeCommitLog": FILE_BYTES,
        "mappedFileSizeConsumeQueue": 20_000,
        "maxHashSlotNum": 1_000,  # the first keys in a large table would take a page each, a quarter of this disk
        "cleanResourceInterval": 100,
    }
    broker = cluster.broker(**{**own, **properties})
    return broker, SmallDisk(broker, DISK_BYTES)


@pytest.mark.parametrize("flush", ["ASYNC_FLUSH", "SYNC_FLUSH"])
async def test_a_full_disk_is_told_reads_go_on_and_so_do_sends_when_there_is_room(cluster: Cluster, flush: str) -> None:
    # The interval is the default: nothing here may depend on a short one.
    broker, disk = small_broker(
        cluster, flushDiskType=flush, cleanFileForciblyEnable="false", cleanResourceInterval=10_000
    )
    await broker.start()
    async with Direct() as direct:
        acknowledged: list[bytes] = []
        refused: list[bytes] = []

        async def sent(number: int) -> tuple[int, str]:
            body = b"%d " % number + BODY
            code, remark = await send(direct, broker, body)
            (acknowledged if code == ResponseCode.SUCCESS else refused).append(body)
            return code, remark

        for number in range(100):
            assert (await sent(number))[0] == ResponseCode.SUCCESS
        disk.fill(98)
        answers = [answer for start in range(0, 400, 16) for answer in await asyncio.gather(
            *(sent(100 + start + number) for number in range(16))
        )]  # fmt: skip
        first = next(at for at, (code, _) in enumerate(answers) if code != ResponseCode.SUCCESS)
        assert {code for code, _ in answers[first:]} == {ResponseCode.SERVICE_NOT_AVAILABLE}
        for _, remark in answers[first:]:
            assert "the broker's disk is full [CL: " in remark, remark
        fault = (await runtime(direct, broker))["brokerFault"]
        assert "full" in fault or "no room" in fault
        readable = [message.body for message in await direct.read_queue(broker.address, "T")]
        assert sorted(readable) == sorted(acknowledged)

        disk.free()

        async def resumed() -> bool:
            return (await sent(1000))[0] == ResponseCode.SUCCESS

        await until(resumed, "messages are taken again", RESUMES_SECONDS)
        assert (await runtime(direct, broker))["brokerFault"] == "none"
        messages = await direct.read_queue(broker.address, "T")
        assert [message.queue_offset for message in messages] == list(range(len(messages)))
        assert sorted(message.body for message in messages) == sorted(acknowledged)
        assert "messages are accepted again" in broker.log()


async def test_above_75_percent_expired_files_go_at_any_hour_and_others_stay(cluster: Cluster) -> None:
    broker, disk = small_broker(cluster, fileReservedTime=72)
    await broker.start()
    async with Direct() as direct:
        for number in range(800):
            assert (await send(direct, broker, b"%d " % number + BODY))[0] == ResponseCode.SUCCESS
        disk.fill(80)
        await asyncio.sleep(0.5)  # five looks at the disk, that delete nothing
        assert await min_offset(direct, broker) == 0
        properties = b"fileReservedTime=0\ndeleteWhen=99\n"
        await direct.tell(broker.address, RequestCode.UPDATE_BROKER_CONFIG, body=properties)

        async def below() -> bool:
            return disk.used_percent <= 75 and await min_offset(direct, broker) > 0

        await until(below, "files are deleted until 75 % are used")
        await asyncio.sleep(0.5)  # and no more than that
        assert disk.used_percent > 75 - 100 * 2 * FILE_BYTES / DISK_BYTES


async def test_above_85_percent_files_go_before_their_time_and_above_90_sends_are_refused(cluster: Cluster) -> None:
    broker, disk = small_broker(cluster)
    await broker.start()
    async with Direct() as direct:
        for number in range(800):
            assert (await send(direct, broker, b"%d " % number + BODY))[0] == ResponseCode.SUCCESS
        disk.fill(84)
        await asyncio.sleep(0.5)
        assert await min_offset(direct, broker) == 0
        disk.fill(88)

        async def below() -> bool:
            return disk.used_percent <= 85 and await min_offset(direct, broker) > 0

        await until(below, "files are deleted until 85 % are used")
        assert (await send(direct, broker, BODY))[0] == ResponseCode.SUCCESS
        lag = await direct.pull(broker.address, "T", 0, 0)
        assert lag.code == ResponseCode.PULL_OFFSET_MOVED
        assert lag.offsets.next_begin_offset == lag.offsets.min_offset > 0
        moved = await direct.pull(broker.address, "T", 0, lag.offsets.next_begin_offset)
        assert moved.messages[0].queue_offset == lag.offsets.min_offset

        # Refused above 90 %, and taken again at 85 %, not before.
        await direct.tell(broker.address, RequestCode.UPDATE_BROKER_CONFIG, body=b"cleanFileForciblyEnable=false\n")
        disk.fill(93)

        async def refused() -> bool:
            code, remark = await send(direct, broker, BODY)
            return code == ResponseCode.SERVICE_NOT_AVAILABLE and "more than the 90 % of" in remark

        await until(refused, "sends are refused")
        disk.fill(87)
        await asyncio.sleep(1.5)
        assert await refused()
        disk.fill(80)

        async def taken() -> bool:
            return (await send(direct, broker, BODY))[0] == ResponseCode.SUCCESS

        await until(taken, "sends are taken again", RESUMES_SECONDS)
