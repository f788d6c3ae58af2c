"""Expressions over the properties of messages: SQL92 as RocketMQ has it (module filter)."""
