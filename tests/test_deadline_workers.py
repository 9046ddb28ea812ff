"""Requests past their deadline, in real workers: the client is answered, the stack logged, the worker replaced."""
