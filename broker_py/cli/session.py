"""The client of a command."""

import os

from broker_py.cli.credentials import tools_credentials
from broker_py.client.client import Client
from broker_py.runtime.files import DiskFiles


def open_client(
    name_servers: str | None, credentials_file: str | None = None, tls_config_file: str | None = None
) -> Client:
    """Return a client of the name servers "host:port;host:port"; ConfigError when one is no address.

    Requests are signed with `credentials_file`, or with $ROCKETMQ_HOME/conf/tools.yml if there is one. With a
    `tls_config_file`, RocketMQ's tls.properties, connections are TLS.
    """
    files = DiskFiles()
    credentials = tools_credentials(files, credentials_file)
    if tls_config_file is None:
        return Client(name_servers or "", credentials=credentials)
    from broker_py.runtime.tls import FileTls, TlsConfig  # noqa: PLC0415  few need it, and it takes its time

    tls = FileTls(files, TlsConfig(tls_config_file=os.path.abspath(tls_config_file), tls_enable=True))
    return Client(name_servers or "", credentials=credentials, tls=tls.client)
