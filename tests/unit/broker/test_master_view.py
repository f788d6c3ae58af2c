"""What a slave asks its master before it follows it."""

import asyncio

from broker_py.broker.master_view import MasterView
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.router import Router
from broker_py.replication.master_log import MasterLog
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Reply
from tests.support.remoting import serving
from tests.unit.broker.site import Site


def described(router: Router | None) -> MasterLog | None:
    """Return what is known of the master that `router` serves, None: of no master."""

    async def scenario() -> MasterLog | None:
        client = RemotingClient()
        view = MasterView(client)
        try:
            if router is None:
                return await view.describe()
            async with serving(router) as server:
                view.set_master(server.address)
                return await view.describe()
        finally:
            await client.close()

    return asyncio.run(asyncio.wait_for(scenario(), 20))


def a_master(runtime: bytes, config: bytes) -> Router:
    router = Router()
    router.on_command(RequestCode.GET_BROKER_RUNTIME_INFO, lambda *_: Reply(body=runtime))
    router.on_command(RequestCode.GET_BROKER_CONFIG, lambda *_: Reply(body=config))
    return router


def test_our_masters_say_where_their_log_begins_and_ends_and_the_size_of_its_files() -> None:
    site = Site()
    site.shown_config = "mappedFileSizeCommitLog=65536\n"
    site.send()
    assert described(site.router) == MasterLog(min_offset=0, end=site.store.written.value, segment_size=65_536)


def test_javas_words_are_read_too_and_its_empty_log_begins_nowhere() -> None:
    runtime = b'{"table":{"commitLogMinOffset":"-1","commitLogMaxOffset":"0"}}'
    config = b"#comment\nhaMasterAddress=\nmappedFileSizeCommitLog=1073741824\n"
    assert described(a_master(runtime, config)) == MasterLog(min_offset=0, end=0, segment_size=1 << 30)


def test_what_is_not_said_refuses_nobody() -> None:
    assert described(a_master(b'{"table":{}}', b"")) == MasterLog(min_offset=0, end=(1 << 63) - 1)


def test_without_a_master_or_a_word_of_it_nothing_is_known() -> None:
    assert described(None) is None
    assert described(Router()) is None
    assert described(a_master(b"[]", b"")) is None
