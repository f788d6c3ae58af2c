"""The broker itself, for tools: requests 25, 26, 28, 306, 315, 329, 907 and 908 (AdminBrokerProcessor)."""

from collections.abc import Callable
from typing import Any, Final

from broker_py.broker.config import BrokerConfig
from broker_py.broker.statistics import Statistics
from broker_py.broker.stats_items import figures_of
from broker_py.broker.upkeep import Upkeep
from broker_py.errors import ConfigError, RequestRefused
from broker_py.model.data_version import DataVersion
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.seams import Clock
from broker_py.store.store import Store
from broker_py.wire.codes import VERSION, VERSION_NAME, RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import dumps
from broker_py.wire.headers.admin import StatsRequest

_POOLS: Final = ("send", "pull", "litePull", "query")
_NO_QUEUES: Final = {
    **{
        f"{pool}ThreadPoolQueue{figure}": "0" for pool in _POOLS for figure in ("Size", "Capacity", "HeadWaitTimeMills")
    },
    "EndTransactionQueueSize": "0",
    "EndTransactionThreadPoolQueueCapacity": "0",
}


class BrokerHandler:
    """Shows and changes properties, shows figures, cleans up.

    `show` gives the properties as text, `change` applies a text of new ones and keeps them (ConfigError names what
    can't be), `replication` tells of the slaves or of the master, `later` of messages to be delivered later.
    """

    def __init__(
        self,
        config: BrokerConfig,
        store: Store,
        statistics: Statistics,
        upkeep: Upkeep,
        clock: Clock,
        show: Callable[[], str],
        change: Callable[[str], None],
        replication: Callable[[], dict[str, Any]],
        later: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self._config = config
        self._store = store
        self._statistics = statistics
        self._upkeep = upkeep
        self._clock = clock
        self._show = show
        self._change = change
        self._replication = replication
        self._later = later
        self._version = DataVersion(clock.now_ms(), 0)

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config
        self._version = self._version.next(self._clock.now_ms())

    def register(self, router: Router) -> None:
        """Serve the requests."""
        router.on_command(RequestCode.GET_BROKER_CONFIG, self.get_config)
        router.on_command(RequestCode.UPDATE_BROKER_CONFIG, self.update_config)
        router.on_command(RequestCode.GET_BROKER_RUNTIME_INFO, self.runtime_info)
        router.on(RequestCode.VIEW_BROKER_STATS_DATA, StatsRequest, self.stats_data)
        router.on_command(RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE, self.clean_queues)
        router.on_command(RequestCode.DELETE_EXPIRED_COMMITLOG, self.delete_expired)
        router.on_command(RequestCode.GET_BROKER_HA_STATUS, self.ha_status)
        router.on_command(RequestCode.RESET_MASTER_FLUSH_OFFSET, self.reset_flush_offset)

    def get_config(self, _command: Command, _peer: Peer) -> Reply:
        """Return all properties as text.

        Two are not ours: RocketMQ's exportConfigs fails without them.
        """
        version = dumps(self._version.to_json()).decode()
        text = self._show()
        use_tls = "true" if "tls.enable=true" in text.splitlines() else "false"
        return Reply(ext={"version": version}, body=f"{text}filterServerNums=0\nuseTLS={use_tls}\n".encode())

    def update_config(self, command: Command, _peer: Peer) -> Reply:
        """Change properties that can be changed while the broker runs; all of them or none."""
        try:
            self._change(command.body.decode())
        except UnicodeDecodeError:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, "the properties are not UTF-8") from None
        except ConfigError as error:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, str(error)) from None
        return Reply()

    def runtime_info(self, _command: Command, _peer: Peer) -> Reply:
        """Return the figures that clusterList and brokerStatus show."""
        store = self._store
        now_ms = self._clock.now_ms()
        statistics = self._statistics
        written, flushed = store.written.value, store.flushed.value
        used, free = store.disk_usage()
        table = {
            "bootTimestamp": str(statistics.start_ms),
            "runtime": _duration(now_ms - statistics.start_ms),
            "brokerVersion": str(VERSION),
            "brokerVersionDesc": VERSION_NAME,
            "brokerActive": "false" if self._config.is_slave else "true",
            "brokerFault": store.admission.fault or "none",
            "replicationFault": self._replication().get("fault") or "none",
            "brokerWarning": self._upkeep.warning or "none",
            "storeDamage": store.damage.summary(),
            "storeDamageCount": str(store.damage.count),
            **statistics.rates(),
            **statistics.totals(),
            "putMessageTimesTotal": str(max(1, statistics.put_messages)),
            "putMessageSizeTotal": str(statistics.put_bytes),
            "putMessageAverageSize": str(round(statistics.put_bytes / max(1, statistics.put_messages), 2)),
            **statistics.put_times.figures(),
            "getMessageEntireTimeMax": str(statistics.longest_get_ms),
            "putMessageFailedTimes": str(statistics.put_failed),
            "commitLogDiskRatio": str(store.log_disk_percent / 100),
            f"commitLogDiskRatio_{store.config.commit_log_directory}": str(store.log_disk_percent / 100),
            "consumeQueueDiskRatio": str(store.queue_disk_percent / 100),
            "commitLogMinOffset": str(store.log.min_offset),
            "commitLogMaxOffset": str(written),
            "commitLogDirCapacity": f"Total : {_bytes(used + free)}, Free : {_bytes(free)}.",
            "dispatchBehindBytes": str(max(0, written - store.dispatched.value)),
            "earliestMessageTimeStamp": str(store.earliest_stored_ms() or -1),
            "remainHowManyDataToFlush": _bytes(max(0, written - flushed)),
            "pageCacheLockTimeMills": "0",
            "startAcceptSendRequestTimeStamp": str(self._config.start_accept_send_request_time_stamp),
            "dispatchMaxBuffer": "0",  # Java counts nothing into it either
            "remainTransientStoreBufferNumbs": "2147483647",  # what Java says without its pool of buffers
            # Requests are not queued: what tools read of these is none, unless `later` knows of sends that wait.
            **_NO_QUEUES,
            "timerReadBehind": "0",
            "timerOffsetBehind": "0",
            "timerCongestNum": "0",
            "timerEnqueueTps": "0.0",
            "timerDequeueTps": "0.0",
            **self._later(),
        }
        return Reply(body=dumps({"table": table}))

    def stats_data(self, request: StatsRequest, _command: Command, _peer: Peer) -> Reply:
        """Return how much came to a topic, or a group got of one, in the last minute, hour and day."""
        name, key = request.stats_name, request.stats_key
        figures = figures_of(self._statistics, self._config.broker_cluster_name, name, key)
        if figures is None:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"The stats <{name}> <{key}> not exist")
        return Reply(body=dumps(figures))

    def clean_queues(self, _command: Command, _peer: Peer) -> Reply:
        """Remove queue files that point only at deleted parts of the log."""
        self._store.remove_expired_units()
        return Reply()

    def delete_expired(self, _command: Command, _peer: Peer) -> Reply:
        """Delete expired files of the log now rather than at deleteWhen."""
        self._store.delete_soon()
        self._store.clean(self._clock.now_ms())
        return Reply()

    def ha_status(self, _command: Command, _peer: Peer) -> Reply:
        """Return the state of replication."""
        return Reply(body=dumps(self._replication()))

    def reset_flush_offset(self, _command: Command, _peer: Peer) -> Reply:
        """Do nothing on a master, as in Java; a slave of ours has no such offset and says so."""
        if self._config.is_slave:
            raise RequestRefused(
                ResponseCode.REQUEST_CODE_NOT_SUPPORTED,
                "a slave keeps no flushed offset of its master: it compares its log with the master's (see haStatus)",
            )
        return Reply()


def _duration(milliseconds: int) -> str:
    seconds = max(0, milliseconds) // 1000
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    return f"[ {days} days, {hours % 24} hours, {minutes % 60} minutes, {seconds % 60} seconds ]"


def _bytes(count: int) -> str:
    """Return a size as RocketMQ shows it: `1.5 KiB` (common MixAll.humanReadableByteCount)."""
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in "KMGTP":
        value /= 1024
        if value < 1024 or unit == "P":
            return f"{value:.1f} {unit}iB"
    raise AssertionError("the loop returns")
