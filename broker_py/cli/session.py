"""The client of a command."""

from broker_py.client.client import Client


def open_client(name_servers: str | None) -> Client:
    """Return a client of the name servers "host:port;host:port"; ConfigError when one is no address."""
    return Client(name_servers or "")
