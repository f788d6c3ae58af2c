"""Requests 25, 26, 28, 306, 329 and 907."""

import pytest

from broker_py.broker.config import BrokerRole
from broker_py.store.config import StoreConfig
from broker_py.wire.codes import RequestCode, ResponseCode
from tests.unit.broker.site import Site, ext_of


def test_properties_are_shown_as_text_with_their_version() -> None:
    reply = Site().ask(RequestCode.GET_BROKER_CONFIG)
    assert reply.body == b"brokerName=broker-a\nfilterServerNums=0\nuseTLS=false\n"
    assert ext_of(reply)["version"].startswith('{"counter":0,')


def test_properties_are_changed_by_text() -> None:
    site = Site()
    assert site.ask(RequestCode.UPDATE_BROKER_CONFIG, {}, b"traceOn=false\n").code == 0
    assert site.config_changes == ["traceOn=false\n"]


@pytest.mark.parametrize(("body", "remark"), [(b"listenPort=1", "listenPort can't be changed"), (b"\xff", "UTF-8")])
def test_properties_that_can_not_be_changed_are_refused(body: bytes, remark: str) -> None:
    site = Site()
    reply = site.ask(RequestCode.UPDATE_BROKER_CONFIG, {}, body)
    assert reply.code == ResponseCode.SYSTEM_ERROR
    assert remark in (reply.remark or "")
    assert site.config_changes == []


def test_figures_are_shown_under_the_names_that_tools_read() -> None:
    site = Site()
    site.send()
    site.clock.advance(90_061_000)
    table = site.json(RequestCode.GET_BROKER_RUNTIME_INFO)["table"]
    assert all(isinstance(value, str) for value in table.values())
    assert table["brokerVersionDesc"] == "V5_1_0"
    assert table["brokerActive"] == "true"
    assert (table["brokerFault"], table["brokerWarning"]) == ("none", "none")
    assert table["commitLogDiskRatio"] == table["commitLogDiskRatio_/store/commitlog"] == "0.1"
    assert table["consumeQueueDiskRatio"] == "0.1"
    assert table["runtime"] == "[ 1 days, 1 hours, 1 minutes, 1 seconds ]"
    assert table["msgPutTotalTodayNow"] == "1"
    assert table["commitLogMaxOffset"] == str(site.store.written.value)
    assert table["dispatchBehindBytes"] == "0"
    assert table["earliestMessageTimeStamp"] == "1700000000000"
    assert table["commitLogDirCapacity"] == "Total : 100 B, Free : 90 B."
    assert len(table["putTps"].split()) == 3


def test_an_empty_broker_has_figures_too() -> None:
    table = Site().json(RequestCode.GET_BROKER_RUNTIME_INFO)["table"]
    assert table["earliestMessageTimeStamp"] == "-1"
    assert table["putMessageAverageSize"] == "0.0"


def test_sizes_are_shown_as_people_read_them() -> None:
    site = Site()
    site.files.used_bytes, site.files.free_bytes = 0, 3 << 29
    table = site.json(RequestCode.GET_BROKER_RUNTIME_INFO)["table"]
    assert table["commitLogDirCapacity"] == "Total : 1.5 GiB, Free : 1.5 GiB."


def test_expired_files_are_deleted_when_an_operator_says_so() -> None:
    config = StoreConfig(
        store_path_root_dir="/store",
        mapped_file_size_commit_log=4096,
        mapped_file_size_consume_queue=200,
        file_reserved_time=0,
    )
    site = Site(store=config)
    for _ in range(60):
        site.send(b"x" * 500)
    site.flush()
    site.store.checkpoint()
    site.clock.advance(3_600_000)
    assert site.ask(RequestCode.DELETE_EXPIRED_COMMITLOG).code == 0
    assert site.store.log.min_offset > 0
    assert site.ask(RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE).code == 0
    assert site.store.min_offset("T", 0) > 0


def test_the_state_of_replication_is_shown() -> None:
    assert Site().json(RequestCode.GET_BROKER_HA_STATUS) == {"master": True}


# What Java's broker of 5.1.0 answers request 28 with (AdminBrokerProcessor.prepareRuntimeInfo, StoreStatsService,
# DefaultMessageStore), but for scheduleMessageOffset_N, which the schedule gives, and what only a pool of buffers has.
JAVA_KEYS = """
bootTimestamp runtime putMessageEntireTimeMax putMessageTimesTotal putMessageFailedTimes putMessageSizeTotal
putMessageDistributeTime putMessageAverageSize dispatchMaxBuffer getMessageEntireTimeMax putTps getFoundTps getMissTps
getTotalTps getTransferredTps putLatency99 putLatency999 commitLogDiskRatio commitLogDiskRatio_/store/commitlog
consumeQueueDiskRatio commitLogMinOffset commitLogMaxOffset brokerActive brokerVersionDesc brokerVersion
msgPutTotalYesterdayMorning msgPutTotalTodayMorning msgPutTotalTodayNow msgGetTotalYesterdayMorning
msgGetTotalTodayMorning msgGetTotalTodayNow dispatchBehindBytes pageCacheLockTimeMills earliestMessageTimeStamp
startAcceptSendRequestTimeStamp timerReadBehind timerOffsetBehind timerCongestNum timerEnqueueTps timerDequeueTps
remainTransientStoreBufferNumbs remainHowManyDataToFlush commitLogDirCapacity sendThreadPoolQueueSize
sendThreadPoolQueueCapacity pullThreadPoolQueueSize pullThreadPoolQueueCapacity litePullThreadPoolQueueSize
litePullThreadPoolQueueCapacity queryThreadPoolQueueSize queryThreadPoolQueueCapacity
sendThreadPoolQueueHeadWaitTimeMills pullThreadPoolQueueHeadWaitTimeMills queryThreadPoolQueueHeadWaitTimeMills
litePullThreadPoolQueueHeadWaitTimeMills EndTransactionQueueSize EndTransactionThreadPoolQueueCapacity
"""


def test_all_keys_of_java_are_there_and_are_text() -> None:
    table = Site().json(RequestCode.GET_BROKER_RUNTIME_INFO)["table"]
    assert set(JAVA_KEYS.split()) <= set(table)
    assert all(isinstance(value, str) for value in table.values())


def test_a_master_has_no_flushed_offset_of_its_master_to_reset() -> None:
    ext = {"masterFlushOffset": 5}
    assert Site().ask(RequestCode.RESET_MASTER_FLUSH_OFFSET, ext).code == 0
    slave = Site(broker_role=BrokerRole.SLAVE, broker_id=1)
    reply = slave.ask(RequestCode.RESET_MASTER_FLUSH_OFFSET, ext)
    assert (reply.code, reply.remark) == (
        ResponseCode.REQUEST_CODE_NOT_SUPPORTED,
        "a slave keeps no flushed offset of its master: it compares its log with the master's (see haStatus)",
    )
