"""Reading what peers answered: success or an error, typed."""

from typing import Any, TypeVar

from broker_py.errors import ConfigError, ProtocolError, RequestRefused
from broker_py.model.java_properties import parse_properties
from broker_py.remoting.connection import expect_success
from broker_py.wire.command import Command
from broker_py.wire.fastjson import loads_trusted
from broker_py.wire.header import decode_header

_H = TypeVar("_H")


def header_of(header_type: type[_H], reply: Command) -> _H:
    """Return the typed header of a reply; ProtocolError when a field is missing or wrong."""
    try:
        return decode_header(header_type, reply.ext)
    except RequestRefused as fault:
        raise ProtocolError(f"an answer can't be read: {fault.remark.removeprefix('the request ')}") from None


def object_of(reply: Command) -> dict[Any, Any]:
    """Return the JSON object that a successful reply carries; an empty body is an empty object."""
    body = expect_success(reply).body
    return loads_trusted(body) if body else {}


def properties_of(reply: Command, address: str) -> dict[str, str]:
    """Return the properties that a successful reply carries, as a properties file has them."""
    try:
        properties = parse_properties(expect_success(reply).body.decode())
    except (UnicodeDecodeError, ConfigError) as error:
        raise ProtocolError(f"the properties of {address} can't be read: {error}") from None
    return {each.name: each.value for each in properties}
