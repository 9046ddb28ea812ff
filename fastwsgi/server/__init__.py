"""Sockets, time and threads: listeners, the loop, and the threads that hand it on."""
