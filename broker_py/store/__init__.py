"""The store: commit log, consume queues, their recovery and retention, in RocketMQ's file formats."""
