"""Sockets and time: listeners, the loop, and the transports of its connections."""
