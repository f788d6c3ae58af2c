"""A RocketMQ client: routes, sending, pulling, membership of groups, and the single requests that tools are made of."""
