"""Subscriptions by tag: `*`, or `A || B` (protocol/filter/FilterAPI, broker filter/ExpressionMessageFilter)."""

from collections.abc import Callable
from typing import Final

from broker_py.errors import RequestRefused
from broker_py.message.tags import tags_code
from broker_py.model.subscription import ALL_TAGS, EXPRESSION_TAG, Subscription
from broker_py.wire.codes import ResponseCode

# A code from here down is the address of a unit of consumequeue_ext, left by a Java broker with enableConsumeQueueExt
# (store ConsumeQueueExt.isExtAddr): no tag's hash.
_HIGHEST_ADDRESS: Final = -(1 << 31) - 1


def parse_subscription(topic: str, expression: str | None, expression_type: str | None) -> Subscription:
    """Return the subscription of an expression that came with a request; RequestRefused when its tags can't be read.

    Whether another expression is one, `message_filter` judges.
    """
    if expression_type and expression_type != EXPRESSION_TAG:
        return Subscription(topic=topic, sub_string=expression or "", expression_type=expression_type)
    if not expression or expression == ALL_TAGS:
        return Subscription(topic=topic)
    tags = tuple(dict.fromkeys(tag.strip() for tag in expression.split("||") if tag.strip()))
    if not tags:
        raise RequestRefused(
            ResponseCode.SUBSCRIPTION_PARSE_FAILED, f"the consumer's subscription {expression!r} is empty"
        )
    return Subscription(topic=topic, sub_string=expression, tags=tags, codes=frozenset(tags_code(tag) for tag in tags))


def tag_filter(subscription: Subscription) -> Callable[[int], bool] | None:
    """Return the test of a queue unit's tags code, or None when all messages are wanted.

    Codes are hashes, so that some messages pass that the client itself must drop. Those whose code is not known here
    pass for the same reason.
    """
    if subscription.sub_string in ("", ALL_TAGS) or subscription.class_filter_mode:
        return None
    codes = subscription.codes
    return lambda code: code in codes or code <= _HIGHEST_ADDRESS
