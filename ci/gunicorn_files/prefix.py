"""Below a prefix, and with an access log of its own format."""

import os

bind = "127.0.0.1:0"
raw_env = ["SCRIPT_NAME=/shop"]
accesslog = os.environ["ACCESS_LOG"]
access_log_format = '%(h)s %(m)s %(U)s %(q)s %(s)s %(B)s "%(r)s" %({x-queue}i)s'
