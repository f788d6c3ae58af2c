"""What is attacked in this process: a broker and a name server without sockets, on files in memory.

A subject takes frames and must answer each request in the end, once; whoever asks something sensible is served as ever.
"""

import asyncio
from collections import Counter
from typing import Final, Protocol, cast

from broker_py.broker.acl.files import AclFiles, Yaml
from broker_py.broker.acl.service import AclService
from broker_py.broker.handlers.acl import AclHandler
from broker_py.model.data_version import DataVersion
from broker_py.nameserver.handlers.configuration import ConfigurationHandlers
from broker_py.nameserver.handlers.registration import RegistrationHandlers
from broker_py.nameserver.handlers.routes import RouteHandlers
from broker_py.nameserver.kv_config import KvConfig
from broker_py.nameserver.route_table import RouteTable
from broker_py.remoting.connection import Connection
from broker_py.remoting.router import Router
from broker_py.runtime.yaml_text import dump_yaml, load_yaml
from broker_py.seams import replace_file
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import FLAG_ONEWAY, FLAG_RESPONSE, Command
from broker_py.wire.register_body import RegisterBody
from tests.support.clock import ManualClock
from tests.support.memory_files import MemoryFiles
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import CONFIG, Site, a_command, bodies_of
from tests.unit.broker.test_acl_files import SHIPPED
from tests.unit.nameserver.test_server import Settings

LONG_MS: Final = 700_000
_TURNS: Final = 20


class Subject(Protocol):
    """A daemon in memory."""

    router: Router

    def take(self, commands: list[Command]) -> None:
        """Serve what came out of one read of a socket."""

    async def settle(self) -> None:
        """Let pass what may: all requests are answered then. AssertionError when one is not, or a good one is not."""


class _Answers:
    """The requests of a peer, each of which is to be answered once unless it is one-way."""

    def __init__(self) -> None:
        self.peer = MemoryPeer()
        self._wanted: list[Command] = []

    def note(self, commands: list[Command]) -> list[Command]:
        """Return those that are requests, as a connection does."""
        requests = [command for command in commands if not command.flag & FLAG_RESPONSE]
        self._wanted += [command for command in requests if not command.flag & FLAG_ONEWAY]
        return requests

    def complete(self) -> None:
        """All are answered: forget them."""
        answered = Counter(id(command) for command, _ in self.peer.replies)
        for command in self._wanted:
            times = answered[id(command)]
            may_be_silent = command.code == RequestCode.END_TRANSACTION
            assert times == 1 or (times == 0 and may_be_silent), f"{times} answers: {command}"
        for command, reply in self.peer.replies:
            assert reply.code != ResponseCode.SYSTEM_ERROR or reply.remark, f"no reason for {command}"
        self.peer = MemoryPeer()
        self._wanted = []


class BrokerSubject:
    """A broker; `T` is a healthy client's topic."""

    def __init__(self) -> None:
        self._site = site = Site(enable_property_filter=True)
        site.files.make_dirs("/conf/acl")
        replace_file(site.files, "/conf/plain_acl.yml", SHIPPED)
        acl = AclService(AclFiles(site.files, "/conf", Yaml(load_yaml, dump_yaml), site.clock))
        AclHandler(CONFIG, acl).register(site.router)
        self.router = site.router
        self._answers = _Answers()
        self._sent = 0

    def take(self, commands: list[Command]) -> None:
        """Serve what came out of one read of a socket."""
        self._site.receive(*self._answers.note(commands), peer=self._answers.peer)

    async def settle(self) -> None:
        """Answer whose time is up, and send and pull a message."""
        site = self._site
        for _ in range(_TURNS):
            await asyncio.sleep(0)
            site.end_turn()
            while site.fetches:
                site.fetches.pop()[1](None)
        site.flush()
        site.pass_time(LONG_MS)
        site.parked.release_all()  # those that are ready to wait for years
        site.pop.waiting.release_all()
        site.end_turn()
        while len(asyncio.all_tasks()) > 1:  # the access rules are read and written by a thread
            await asyncio.sleep(0.0005)
        site.config_changes.clear()
        self._answers.complete()
        body = b"%d" % self._sent
        reply = site.send(body)
        assert reply.code == ResponseCode.SUCCESS, reply
        pulled = site.pull(queueOffset=self._sent)
        assert bodies_of(pulled) == [body], pulled
        self._sent += 1


class NameServerSubject:
    """A name server, where one healthy broker is registered."""

    def __init__(self) -> None:
        clock, files, settings = ManualClock(), MemoryFiles(), Settings()
        self._clock = clock
        self._table = RouteTable()
        kv = KvConfig(files, settings.current().kv_config_path)
        self.router = router = Router()
        RegistrationHandlers(self._table, kv, settings, clock, lambda _: None).install(router)
        RouteHandlers(self._table, kv, settings, clock).install(router)
        ConfigurationHandlers(kv, settings).install(router)
        self._answers = _Answers()

    def take(self, commands: list[Command]) -> None:
        """Serve what came out of one read of a socket."""
        for command in self._answers.note(commands):
            self.router.dispatch(command, cast(Connection, self._answers.peer))

    async def settle(self) -> None:
        """Register a broker, and ask for its route; what else is registered is forgotten."""
        await asyncio.sleep(0)
        self._answers.complete()
        self._clock.advance(LONG_MS)
        self._table.expire(self._clock.monotonic())
        ext = {"brokerName": "good", "brokerAddr": "10.0.0.1:1", "clusterName": "c", "brokerId": "0", "bodyCrc32": "0"}
        body = RegisterBody(data_version=DataVersion(1), topics={}).encode()
        for command in (
            a_command(RequestCode.REGISTER_BROKER, {**ext, "haServerAddr": "10.0.0.1:2", "compressed": "false"}, body),
            a_command(RequestCode.GET_BROKER_CLUSTER_INFO),
        ):
            peer = MemoryPeer()
            self.router.dispatch(command, peer)
            assert peer.codes == [ResponseCode.SUCCESS], peer.replies
