"""What an installed wheel must do, on any system: be compiled, load an application, serve it. Else it exits with 1.

On an interpreter without a GIL it must not have it switched on, which each module that does not say otherwise does.

`python ci/installed.py`, with an interpreter that has the wheel; cibuildwheel runs it for each one that it builds.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

import fastwsgi
from fastwsgi import backend
from fastwsgi.demo import app

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    if ROOT in Path(fastwsgi.__file__).resolve().parents:
        print(f"{fastwsgi.__file__} is the source tree, and no installed wheel")
        return 1
    build = backend.current().name
    if build != "c":
        print(f"it runs the {backend.build_title(build)} build")
        return 1
    if sysconfig.get_config_var("Py_GIL_DISABLED") and sys._is_gil_enabled():
        print("it has the GIL switched on")
        return 1
    subprocess.run([sys.executable, "-m", "fastwsgi", "--check", "fastwsgi.demo:app"], check=True, cwd="/")
    with fastwsgi.make_server("127.0.0.1", 0, app) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
            for method, path, body in (("GET", "/", None), ("POST", "/echo", b"there and back")):
                connection.request(method, path, body)
                answer = connection.getresponse()
                text = answer.read()
                print(method, path, answer.status, len(text), "bytes")
                if answer.status != 200 or (body is not None and body not in text):
                    return 1
            connection.close()
        finally:
            server.shutdown()
            thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
