"""Processes and signals: what runs a loop from its start to its stop."""
