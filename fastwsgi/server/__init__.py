"""Sockets, time and threads: listeners, the loop, and the threads that pass it on."""
