"""What HTTP/1.1 and WSGI mean: no socket, no clock, no process.

Everything here runs on bytes: tests feed a connection and read its out-buffer.
"""
