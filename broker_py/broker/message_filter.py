"""What a subscription wants of its topic: by tags, or by an expression over properties (broker filter/*).

Expressions are compiled once and kept, those used last, as many as fit. consumerFilter.json is not touched: a Java
broker rebuilds it from heartbeats too, and the bit maps that it is for are left out of our queues.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from broker_py.broker.config import BrokerConfig
from broker_py.broker.tag_filter import tag_filter
from broker_py.errors import RequestRefused
from broker_py.filter.lexer import ExpressionInvalid
from broker_py.filter.parser import MAX_CHARACTERS, Filter, compile_filter
from broker_py.model.subscription import EXPRESSION_SQL92, EXPRESSION_TAG, Subscription
from broker_py.wire.codes import ResponseCode

MAX_KEPT_CHARACTERS: Final = 1 << 18
"""Of all expressions that are kept; compiled, a character takes about 100 bytes."""
_INVALID_SELECTOR: Final = "Invalid MessageSelector. "


class MessageFilter(NamedTuple):
    """`wanted` judges the tags code of a queue's unit, `selection` a message's properties; None lets all pass."""

    wanted: Callable[[int], bool] | None = None
    selection: Filter | None = None


class MessageFilters:
    """Makes the filters of subscriptions."""

    def __init__(self, config: BrokerConfig) -> None:
        self._config = config
        self._compiled: OrderedDict[str, Filter | ExpressionInvalid] = OrderedDict()
        self._characters = 0

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config

    def of_request(self, subscription: Subscription) -> MessageFilter:
        """Return the filter of a subscription that came with a request; RequestRefused when it can't be served."""
        return self._of(subscription, ResponseCode.SUBSCRIPTION_PARSE_FAILED, _INVALID_SELECTOR)

    def of_pop(self, subscription: Subscription) -> MessageFilter:
        """Return the filter of a pop; RequestRefused when it can't be served.

        As in Java a pop may bring SQL92 without enablePropertyFilter, which is for pulls: clients of gRPC pop.
        """
        return self._of(subscription, ResponseCode.SUBSCRIPTION_PARSE_FAILED, _INVALID_SELECTOR, always=True)

    def of_heartbeat(self, subscription: Subscription) -> MessageFilter:
        """Return the filter of a subscription that a heartbeat brought; RequestRefused when it can't be served."""
        remark = "The broker's consumer filter data is not exist!Your expression may be wrong!: "
        return self._of(subscription, ResponseCode.FILTER_DATA_NOT_EXIST, remark)

    def _of(self, subscription: Subscription, invalid: int, remark: str, *, always: bool = False) -> MessageFilter:
        kind = subscription.expression_type
        if not kind or kind == EXPRESSION_TAG:
            return MessageFilter(tag_filter(subscription))
        if not (always or self._config.enable_property_filter):
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR, "The broker does not support consumer to filter message by " + kind
            )
        if kind != EXPRESSION_SQL92:
            raise RequestRefused(invalid, f"{remark}no expressions are of type {kind[:40]!r}: TAG and SQL92 are")
        if subscription.class_filter_mode:
            return MessageFilter()
        compiled = self._compile(subscription.sub_string)
        if isinstance(compiled, ExpressionInvalid):
            raise RequestRefused(invalid, f"{remark}{compiled}")
        return MessageFilter(None, compiled)

    def _compile(self, text: str) -> Filter | ExpressionInvalid:
        found = self._compiled.get(text)
        if found is not None:
            self._compiled.move_to_end(text)
            return found
        try:
            made: Filter | ExpressionInvalid = compile_filter(text)
        except ExpressionInvalid as error:
            made = ExpressionInvalid(str(error))  # without its trace, which holds the parser
        if len(text) <= MAX_CHARACTERS:  # longer ones are refused as fast as they are found
            self._compiled[text] = made
            self._characters += len(text) + 1
            while self._characters > MAX_KEPT_CHARACTERS:
                self._characters -= len(self._compiled.popitem(last=False)[0]) + 1
        return made
