"""Copies the commit log from a master to its slaves, over RocketMQ's HA protocol (plain master/slave mode)."""
