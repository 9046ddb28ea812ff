"""What the user says: settings, the command line, and which application to serve.

This is the top layer. `settings` declares every setting once. `arguments` makes the command line from that table,
`files` reads TOML and `gunicorn_file` a gunicorn.conf.py (with the table `gunicorn` and the `hooks`), and `sources`
puts them in order. `deployment` is what the supervisor asks, `report` and `manual` tell, `cli` is the command.
`loader` turns `MODULE:ATTR` into the application; `recognise` says why an object cannot be one;
`check` calls an application once, without a server; `mistakes` is how they complain.
"""
