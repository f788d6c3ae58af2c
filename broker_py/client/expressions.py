"""What a consumer wants of a topic: by tag, or by properties (common filter/ExpressionType, FilterAPI)."""

from dataclasses import dataclass

from broker_py.message.tags import tags_code
from broker_py.model.subscription import ALL_TAGS, EXPRESSION_SQL92, EXPRESSION_TAG, Subscription


@dataclass(frozen=True)
class Sql:
    """A condition on the properties of messages, `color = 'blue' AND price > 10`."""

    condition: str


# Tags, `A || B` (all: `*`), or a condition.
Expression = str | Sql


def tags_of(expression: Expression) -> frozenset[str]:
    """Return the tags of an expression `A || B`; empty when it is for all messages or no matter of tags."""
    if isinstance(expression, Sql):
        return frozenset()
    tags = frozenset(tag.strip() for tag in expression.split("||") if tag.strip())
    return frozenset() if ALL_TAGS in tags else tags


def text_of(expression: Expression) -> str:
    """Return the expression as brokers get it."""
    return expression.condition if isinstance(expression, Sql) else expression


def type_of(expression: Expression) -> str:
    """Return the kind of an expression as brokers get it."""
    return EXPRESSION_SQL92 if isinstance(expression, Sql) else EXPRESSION_TAG


def subscription_to(topic: str, expression: Expression, sub_version: int) -> Subscription:
    """Return what a heartbeat says of one topic."""
    tags = tags_of(expression)
    return Subscription(
        topic=topic,
        sub_string=text_of(expression),
        tags=tuple(sorted(tags)),
        codes=frozenset(tags_code(tag) for tag in tags),
        sub_version=sub_version,
        expression_type=type_of(expression),
    )
