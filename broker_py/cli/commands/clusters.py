"""mqadmin clusterList (tools command/cluster/ClusterListSubCommand)."""

import argparse
import time
from typing import Any, Final

from broker_py.admin.clusters import BrokerState, cluster_list
from broker_py.cli.commands.render import table
from broker_py.cli.commands.subcommand import Answer, SubCommand, checked, positive
from broker_py.cli.options import Parser
from broker_py.client.client import Client

_HEADERS: Final = (
    "Cluster Name",
    "Broker Name",
    "BID",
    "Addr",
    "Version",
    "InTPS(LOAD)",
    "OutTPS(LOAD)",
    "Timer(Progress)",
    "PCWait(ms)",
    "Hour",
    "SPACE",
    "ACTIVATED",
)
_TOTALS_HEADERS: Final = (
    "Cluster Name",
    "Broker Name",
    "BID",
    "InTotalYest",
    "OutTotalYest",
    "InTotalToday",
    "OutTotalToday",
)
_YESTERDAY: Final = ("YesterdayMorning", "TodayMorning")
_TODAY: Final = ("TodayMorning", "TodayNow")


def _options(parser: Parser) -> None:
    parser.add_argument("-m", "--moreStats", dest="totals", action="store_true", help="messages of yesterday and today")
    parser.add_argument(
        "-i",
        "--interval",
        "--watch",
        metavar="SECONDS",
        type=checked(positive),
        help="list again and again, at this interval",
    )
    parser.add_argument("-c", "--clusterName", dest="cluster", metavar="NAME", help="only this cluster")


async def _run(client: Client, options: argparse.Namespace) -> Answer:
    states = await cluster_list(client, options.cluster)
    now_ms = time.time_ns() // 1_000_000
    if options.totals:
        lines = table(_TOTALS_HEADERS, [_totals_row(state) for state in states])
    else:
        lines = table(_HEADERS, [_row(state, now_ms) for state in states])
    return Answer(
        data=[_json(state, now_ms) for state in states],
        lines=lines,
        notes=[
            f"{state.broker.broker_name} (id {state.broker.broker_id}): {state.error}"
            for state in states
            if state.error
        ],
    )


def _row(state: BrokerState, now_ms: int) -> list[object]:
    return [
        state.broker.cluster,
        state.broker.broker_name,
        state.broker.broker_id,
        state.broker.address,
        state.version or "unreachable",
        _tps_text(state, "putTps", "sendThreadPoolQueue"),
        _tps_text(state, "getTransferredTps", "pullThreadPoolQueue"),
        _timer_text(state),
        state.runtime.get("pageCacheLockTimeMills", ""),
        f"{state.hours(now_ms):.2f}",
        f"{state.disk_ratio:.4f}",
        str(state.active).lower(),
    ]


def _tps_text(state: BrokerState, rate: str, queue: str) -> str:
    waiting = state.runtime.get(queue + "Size", "")
    wait_ms = state.runtime.get(queue + "HeadWaitTimeMills", "")
    return f"{state.number(rate):.2f}({waiting},{wait_ms}ms)"


def _timer_text(state: BrokerState) -> str:
    behind = f"{state.number('timerReadBehind'):.0f}-{state.number('timerOffsetBehind'):.0f}"
    congestion = state.number("timerCongestNum") / 10_000
    rates = f"{state.number('timerEnqueueTps'):.1f}, {state.number('timerDequeueTps'):.1f}"
    return f"{behind}({congestion:.1f}w, {rates})"


def _totals_row(state: BrokerState) -> list[object]:
    return [
        state.broker.cluster,
        state.broker.broker_name,
        state.broker.broker_id,
        state.grown("msgPutTotal", *_YESTERDAY),
        state.grown("msgGetTotal", *_YESTERDAY),
        state.grown("msgPutTotal", *_TODAY),
        state.grown("msgGetTotal", *_TODAY),
    ]


def _json(state: BrokerState, now_ms: int) -> dict[str, Any]:
    return {
        "clusterName": state.broker.cluster,
        "brokerName": state.broker.broker_name,
        "brokerId": state.broker.broker_id,
        "brokerAddr": state.broker.address,
        "reachable": state.error is None,
        "version": state.version,
        "active": state.active,
        "inTps": state.number("putTps"),
        "outTps": state.number("getTransferredTps"),
        "oldestMessageHours": round(state.hours(now_ms), 2),
        "diskRatio": state.disk_ratio,
        "inTotalYesterday": state.grown("msgPutTotal", *_YESTERDAY),
        "outTotalYesterday": state.grown("msgGetTotal", *_YESTERDAY),
        "inTotalToday": state.grown("msgPutTotal", *_TODAY),
        "outTotalToday": state.grown("msgGetTotal", *_TODAY),
    }


COMMANDS: Final = {"clusterList": SubCommand(_options, _run)}
