"""What the user says: settings, the command line, and which application to serve.

This is the top layer. `settings` declares every setting once; `cli` makes the command line from that
table; `loader` turns `MODULE:ATTR` into the application; `recognise` says why an object cannot be one;
`check` calls an application once, without a server; `mistakes` is how they complain.
"""
