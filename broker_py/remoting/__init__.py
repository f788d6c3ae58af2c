"""Asyncio around the wire: connections, a server, a client, and the routing of requests to handlers."""
