"""What some clients are shown instead of the plain route."""

from dataclasses import replace
from typing import Final

from broker_py.model.route import MASTER_ID, BrokerData, TopicRoute
from broker_py.model.topic import PERM_WRITE

# Topics by which brokers find the members of their own set; they must see the real ids (common TopicValidator).
SYNC_MEMBER_PREFIX: Final = "rmq_sys_SYNC_BROKER_MEMBER_"


def with_acting_masters(topic: str, route: TopicRoute) -> TopicRoute:
    """Return the route with the lowest slave as id 0 where the master is gone and its set allows that.

    Only where nobody can write: the acting master is read from, and takes offsets, but has no log of its own.
    Source: namesrv routeinfo/RouteInfoManager.pickupTopicRouteData.
    """
    if topic.startswith(SYNC_MEMBER_PREFIX):
        return route
    read_only = {queues.broker_name for queues in route.queue_datas if not queues.perm & PERM_WRITE}
    return replace(
        route,
        broker_datas=tuple(
            _acting(broker) if broker.enable_acting_master and broker.broker_name in read_only else broker
            for broker in route.broker_datas
        ),
    )


def _acting(broker: BrokerData) -> BrokerData:
    if MASTER_ID in broker.broker_addrs:
        return broker
    addresses = dict(broker.broker_addrs)
    addresses[MASTER_ID] = addresses.pop(min(addresses))
    return replace(broker, broker_addrs=addresses)


def nearby(route: TopicRoute, zone: str) -> TopicRoute:
    """Return the route to the brokers of a zone, and to those without a master: better far away than not at all.

    Source: namesrv route/ZoneRouteRPCHook.
    """
    far = {
        broker.broker_name: broker
        for broker in route.broker_datas
        if MASTER_ID in broker.broker_addrs and (broker.zone_name or "").lower() != zone.lower()
    }
    far_addresses = {address for broker in far.values() for address in broker.broker_addrs.values()}
    return replace(
        route,
        broker_datas=tuple(broker for broker in route.broker_datas if broker.broker_name not in far),
        queue_datas=tuple(queues for queues in route.queue_datas if queues.broker_name not in far),
        filter_server_table={a: servers for a, servers in route.filter_server_table.items() if a not in far_addresses},
    )
