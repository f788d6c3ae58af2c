"""TLS over real sockets: which connections a port takes, what is checked, and how certificates are changed."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from broker_py.errors import ConfigError, Unreachable
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.config import ServerConfig, TlsMode
from broker_py.remoting.outbox import Outbox
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.remoting.server import RemotingServer
from broker_py.runtime.files import DiskFiles
from broker_py.runtime.tls import FileTls, TlsConfig
from broker_py.wire.command import Command, Reply
from broker_py.wire.frame import FrameDecoder, encode_command
from tests.support.certificates import Authority, tls_properties
from tests.support.remoting import RawClient

ECHO, LONG = 1, 2


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def file_tls(path: Path) -> FileTls:
    return FileTls(DiskFiles(), TlsConfig(tls_config_file=str(path), tls_enable=True))


class Site:
    """A server that echoes, with certificates, and clients of it."""

    def __init__(self, tls: FileTls | None, mode: TlsMode = TlsMode.permissive, **limits: Any) -> None:
        router = Router()
        router.on_command(ECHO, self._echo)
        router.on_command(LONG, self._long)
        self.served = 0
        config = ServerConfig(bind_address="127.0.0.1", tls_server_mode=mode, **limits)
        self.server = RemotingServer(config, router, Outbox(), tls=tls)
        self.port = self.server.bind(0)

    def _long(self, command: Command, peer: Peer) -> Reply:
        self.served += 1
        return Reply(body=bytes(1 << 18))

    def _echo(self, command: Command, peer: Peer) -> Reply:
        return Reply(body=command.body)

    async def connect(self, tls: FileTls) -> RawClient:
        """Return a client with TLS that is told nothing and matches nothing."""
        context = tls.client()
        assert context is not None
        streams = await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname="")
        return RawClient(*streams)

    async def ask(self, tls: FileTls | None, body: bytes = b"hello") -> bytes:
        client = RemotingClient(tls=lambda: None if tls is None else tls.client())
        try:
            return (await client.request(f"127.0.0.1:{self.port}", Command(ECHO, {}, body), 5)).body
        finally:
            await client.close()


def play(site: Site, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        await site.server.start()
        try:
            await scenario()
        finally:
            await site.server.stop()

    asyncio.run(run())


def test_one_port_serves_both_and_bodies_of_any_size(authority: Authority, tmp_path: Path) -> None:
    tls = file_tls(tls_properties(tmp_path / "tls.properties", authority, "broker"))
    site = Site(tls)

    async def scenario() -> None:
        for size in (0, 1, 20_000, 5_000_000):
            body = bytes(range(256)) * (size // 256) + bytes(size % 256)
            assert await site.ask(tls, body) == body
            assert await site.ask(None, body) == body

    play(site, scenario)


def test_no_more_is_served_than_the_peer_reads(authority: Authority, tmp_path: Path) -> None:
    requests = 200
    tls = file_tls(tls_properties(tmp_path / "tls.properties", authority, "broker"))
    site = Site(tls)

    async def scenario() -> None:
        slow = await site.connect(tls)
        slow.send(*(Command(LONG, opaque=number) for number in range(requests)))
        while not site.served:
            await asyncio.sleep(0.01)
        assert await site.ask(tls) == b"hello"
        assert site.served < requests / 2
        opaques = [reply.opaque for _ in range(requests) if (reply := await slow.receive()) is not None]
        assert opaques == list(range(requests))
        slow.close()

    play(site, scenario)


def test_enforcing_refuses_who_speaks_in_the_clear(authority: Authority, tmp_path: Path) -> None:
    tls = file_tls(tls_properties(tmp_path / "tls.properties", authority, "broker"))
    site = Site(tls, TlsMode.enforcing)

    async def scenario() -> None:
        assert await site.ask(tls) == b"hello"
        with pytest.raises(Unreachable, match="was lost"):
            await site.ask(None)

    play(site, scenario)


def test_disabled_refuses_tls(authority: Authority, tmp_path: Path) -> None:
    tls = file_tls(tls_properties(tmp_path / "tls.properties", authority, "broker"))
    site = Site(tls, TlsMode.disabled)

    async def scenario() -> None:
        assert await site.ask(None) == b"hello"
        with pytest.raises(Unreachable):
            await site.ask(tls)

    play(site, scenario)


def test_enforcing_without_a_certificate_does_not_start() -> None:
    with pytest.raises(ConfigError, match=r"tls\.server\.certPath"):
        Site(None, TlsMode.enforcing)


def test_clients_show_certificates_where_they_must(authority: Authority, tmp_path: Path) -> None:
    required = {"tls__server__need__client__auth": "require"}
    tls = file_tls(tls_properties(tmp_path / "server", authority, "broker", **required))
    without = file_tls(tls_properties(tmp_path / "a", authority, "broker", tls__client__certPath=""))
    stranger = Authority(tmp_path / "other")
    foreign = tls_properties(
        tmp_path / "b", stranger, "stranger", tls__client__trustCertPath=str(authority.certificate)
    )
    site = Site(tls)

    async def scenario() -> None:
        assert await site.ask(tls) == b"hello"
        for refused in (without, file_tls(foreign)):
            with pytest.raises(Unreachable):
                await site.ask(refused)

    play(site, scenario)


def test_a_client_does_not_talk_to_a_server_it_does_not_trust(authority: Authority, tmp_path: Path) -> None:
    site = Site(file_tls(tls_properties(tmp_path / "server", authority, "broker")))
    stranger = Authority(tmp_path / "other")
    distrusting = file_tls(tls_properties(tmp_path / "a", stranger, "client"))
    careless = file_tls(tls_properties(tmp_path / "b", stranger, "client", tls__client__authServer="false"))

    async def scenario() -> None:
        with pytest.raises(Unreachable, match="certificate is not trusted"):
            await site.ask(distrusting)
        assert await site.ask(careless) == b"hello"

    play(site, scenario)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_protocols_are_refused(authority: Authority, tmp_path: Path) -> None:
    site = Site(file_tls(tls_properties(tmp_path / "server", authority, "broker")))
    assert site.server._tls is not None
    context = site.server._tls.server()
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2

    async def scenario() -> None:
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname = False
        old.verify_mode = ssl.CERT_NONE
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, OSError)):
            await asyncio.open_connection("127.0.0.1", site.port, ssl=old)

    play(site, scenario)


def test_a_handshake_may_not_take_for_ever(authority: Authority, tmp_path: Path) -> None:
    tls = file_tls(tls_properties(tmp_path / "server", authority, "broker"))
    site = Site(tls, server_header_timeout_seconds=1)

    async def scenario() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(b"\x16\x03\x01\x02\x00")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()

    play(site, scenario)


def test_what_begins_like_tls_and_is_none_ends_the_connection(authority: Authority, tmp_path: Path) -> None:
    tls = file_tls(tls_properties(tmp_path / "server", authority, "broker"))
    site = Site(tls)

    async def scenario() -> None:
        for data in (b"\x16" * 1000, b"\x16\x03\x01\x00\x05hello", b"\x16" + bytes(300_000)):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(data)
            try:
                await asyncio.wait_for(reader.read(), 5)
            except ConnectionError:
                pass
            writer.close()
        assert await site.ask(tls) == b"hello"
        assert site.server.connections <= 1

    play(site, scenario)


def test_tls_in_single_bytes_is_tls(authority: Authority, tmp_path: Path) -> None:
    tls = file_tls(tls_properties(tmp_path / "server", authority, "broker"))
    site = Site(tls)
    context = tls.client()
    assert context is not None

    def talk() -> bytes:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        layer = context.wrap_bio(incoming, outgoing)
        with socket.create_connection(("127.0.0.1", site.port), 5) as plain:

            def step(work: Callable[[], Any]) -> Any:
                while True:
                    try:
                        return work()
                    except ssl.SSLWantReadError:
                        send()
                        incoming.write(plain.recv(1 << 16))

            def send() -> None:
                for byte in outgoing.read():
                    plain.sendall(bytes([byte]))

            step(layer.do_handshake)
            layer.write(encode_command(Command(ECHO, {}, b"slowly", opaque=1)))
            send()
            (reply,) = FrameDecoder().receive_data(step(lambda: layer.read(1 << 16)))
            return reply.body

    async def scenario() -> None:
        assert await asyncio.to_thread(talk) == b"slowly"

    play(site, scenario)


def test_new_certificates_count_for_new_connections_and_bad_ones_never(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tls_properties(tmp_path / "tls.properties", authority, "one")
    tls = file_tls(path)
    site = Site(tls)

    async def shown() -> str:
        context = ssl.create_default_context(cafile=str(authority.certificate))
        context.check_hostname = False
        _, writer = await asyncio.open_connection("127.0.0.1", site.port, ssl=context)
        names = dict(pair[0] for pair in writer.get_extra_info("peercert")["subject"])
        writer.close()
        return str(names["commonName"])

    async def scenario() -> None:
        assert await shown() == "one"
        kept = RemotingClient(tls=tls.client)
        address = f"127.0.0.1:{site.port}"
        await kept.request(address, Command(ECHO), 5)
        tls_properties(path, authority, "two")
        tls.refresh()
        assert await shown() == "two"
        assert (await kept.request(address, Command(ECHO, {}, b"still"), 5)).body == b"still"
        await kept.close()
        with caplog.at_level(logging.INFO):
            (authority.directory / "three.pem").write_text("no certificate")
            (authority.directory / "three.key").write_text("no key")
            tls_properties(path, authority, "three")
            tls.refresh()
            tls.refresh()
            path.unlink()
            tls.refresh()
        assert await shown() == "two"
        errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert len(errors) == 2
        assert "three.pem" in errors[0]

    play(site, scenario)


def test_a_key_may_have_a_password_and_a_wrong_one_is_said(authority: Authority, tmp_path: Path) -> None:
    authority.sign("locked", "open-sesame")
    good = {"tls__server__keyPassword": "open-sesame", "tls__client__keyPassword": "open-sesame"}
    site = Site(file_tls(tls_properties(tmp_path / "a", authority, "locked", **good)))
    with pytest.raises(ConfigError, match=r"locked\.pem") as caught:
        file_tls(tls_properties(tmp_path / "b", authority, "locked", tls__server__keyPassword="guess-word"))
    assert "guess-word" not in str(caught.value)

    async def scenario() -> None:
        tls = file_tls(tmp_path / "a")
        assert await site.ask(tls) == b"hello"

    play(site, scenario)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tls.server.certPath=/nowhere.pem", "/nowhere.pem"),
        ("tls.server.need.client.auth=maybe", "none, optional, require"),
        ("tls.server.sertPath=/a", "did you mean tls.server.certPath"),
    ],
)
def test_what_tls_properties_can_not_mean_is_said(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "tls.properties"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        file_tls(path)
