"""How a broker signs, followed as its file changes."""

import asyncio

import pytest

from broker_py.broker.own_credentials import OwnCredentials
from broker_py.errors import ConfigError
from broker_py.remoting.client import RemotingClient
from broker_py.wire.command import Command
from broker_py.wire.signing import ACCESS_KEY, Credentials


def signer(client: RemotingClient) -> str | None:
    command = Command(code=34)
    client._sign(command)
    return command.ext.get(ACCESS_KEY)


def test_requests_are_signed_as_the_file_says_now(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Credentials | ConfigError | None] = [Credentials("new-key", "new-secret")]

    def read() -> Credentials | None:
        if isinstance(told[0], ConfigError):
            raise told[0]
        return told[0]

    async def steps() -> None:
        client = RemotingClient(credentials=Credentials("old-key", "old-secret"))
        own = OwnCredentials(read, client)
        assert signer(client) == "old-key"
        await own.refresh()
        assert signer(client) == "new-key"
        told[0] = ConfigError("tools.yml lacks accessKey")
        await own.refresh()
        await own.refresh()
        assert signer(client) == "new-key"
        told[0] = None
        await own.refresh()
        assert signer(client) is None

    asyncio.run(steps())
    assert len([record for record in caplog.records if "lacks accessKey" in record.getMessage()]) == 1
