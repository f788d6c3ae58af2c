"""The routes that a client knows, fetched when needed and again when old."""

from dataclasses import dataclass
from typing import Final

from broker_py.client.name_servers import NameServers
from broker_py.client.queues import route_of_new_topic
from broker_py.errors import RequestFailed, Unreachable
from broker_py.model.route import TopicRoute
from broker_py.model.topic import AUTO_CREATE_TOPIC_KEY
from broker_py.seams import Clock
from broker_py.wire.codes import ResponseCode

MAX_AGE_SECONDS: Final = 30.0  # client ClientConfig.pollNameServerInterval


@dataclass(slots=True)
class _Known:
    """A route and until when it may be used without asking again, on the monotonic clock."""

    route: TopicRoute
    good_until: float


class Routes:
    """Topic → route. A route that is old is used on while no name server answers: brokers work without them."""

    def __init__(self, name_servers: NameServers, clock: Clock) -> None:
        self._name_servers = name_servers
        self._clock = clock
        self._known: dict[str, _Known] = {}
        # Of topics that nobody had when they were first sent to. Kept apart and for as long as a real route, so
        # that the first messages go to all brokers in turn: each makes the topic when it gets its first one.
        self._drafts: dict[str, _Known] = {}

    async def find(self, topic: str) -> TopicRoute:
        """Return a topic's route; RequestFailed with code 17 when it has none, Unreachable when nobody can tell."""
        known = self._known.get(topic)
        if known is not None and self._clock.monotonic() < known.good_until:
            return known.route
        try:
            route = await self._name_servers.route(topic)
        except Unreachable:
            if known is None:
                raise
            route = known.route
        self._known[topic] = self._good(route)
        return route

    async def find_to_send(self, topic: str) -> TopicRoute:
        """Return a topic's route, or that on which sending makes the topic; RequestFailed when there is neither."""
        draft = self._drafts.get(topic)
        if draft is not None and self._clock.monotonic() < draft.good_until:
            return draft.route
        try:
            return await self.find(topic)
        except RequestFailed as error:
            if error.code != ResponseCode.TOPIC_NOT_EXIST:
                raise
            try:
                route = route_of_new_topic(await self.find(AUTO_CREATE_TOPIC_KEY))
            except RequestFailed:
                raise error from None
        self._drafts[topic] = self._good(route)
        return route

    def known(self) -> list[TopicRoute]:
        """Return the routes that were found so far, however old."""
        return [known.route for known in (*self._known.values(), *self._drafts.values())]

    def renew(self, topic: str) -> None:
        """Have the route fetched at its next use, since a broker of it did not do what was asked."""
        self._drafts.pop(topic, None)
        known = self._known.get(topic)
        if known is not None:
            known.good_until = 0.0

    def _good(self, route: TopicRoute) -> _Known:
        return _Known(route, self._clock.monotonic() + MAX_AGE_SECONDS)
