"""A RocketMQ name server and broker without the JVM."""

__version__ = "0.1.0"
