"""TLS: contexts and files, and the transport that speaks it."""
