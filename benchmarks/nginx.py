"""nginx as a server of files, what one would put in front for them: nginx.py PORT FOLDER.

One worker process, no access log, files remembered for a second as fastwsgi remembers them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {home}/pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=1000 inactive=60s;
    open_file_cache_valid 1s;
    types {{ application/octet-stream bin; }}
    server {{
        listen 127.0.0.1:{port};
        location /static/ {{ alias {folder}/; }}
    }}
}}
"""


def main() -> None:
    port, folder = sys.argv[1:]
    home = tempfile.mkdtemp(prefix="nginx-")
    file = Path(home) / "nginx.conf"
    user = "user root;\n" if os.geteuid() == 0 else ""
    file.write_text(user + CONFIGURATION.format(home=home, port=port, folder=folder))
    os.execvp("nginx", ["nginx", "-e", "stderr", "-p", home, "-c", str(file)])


if __name__ == "__main__":
    main()
