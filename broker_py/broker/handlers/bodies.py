"""Reading the JSON bodies of requests: what can't be read is refused with a sentence."""

from typing import Any

from broker_py.errors import ProtocolError, RequestRefused
from broker_py.model.fields import list_of
from broker_py.wire.codes import ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.fastjson import loads_object


def object_body(command: Command) -> dict[Any, Any]:
    """Return the object that a request's body is; RequestRefused when it is none."""
    try:
        return loads_object(command.body)
    except ProtocolError as error:
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"the {error}") from None


def objects_of(fields: dict[Any, Any], name: str, limit: int) -> list[dict[Any, Any]]:
    """Return a list field whose items must be objects; RequestRefused when one isn't, or there are too many."""
    items = list_of(fields, name)
    if len(items) > limit:
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"{name} has {len(items)} items; {limit} are allowed")
    for item in items:
        if not isinstance(item, dict):
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"{name} has {str(item)[:32]!r}, which is not an object")
    return items
