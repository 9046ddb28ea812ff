"""A Django project in a container: workers by the CPUs, the heartbeat in memory, a line when ready."""

import multiprocessing

wsgi_app = "shop.wsgi:application"
bind = "0.0.0.0:8000"
backlog = 512
workers = multiprocessing.cpu_count() * 2 + 1
worker_class = "gthread"
threads = 4
worker_tmp_dir = "/dev/shm"
timeout = 120
graceful_timeout = 45
keepalive = 5
max_requests = 1000
max_requests_jitter = 50
preload_app = True
accesslog = "-"
errorlog = "-"
loglevel = "INFO"
access_log_format = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s'
limit_request_line = 0
umask = 0o007
user = None
group = None
pidfile = None
daemon = False
spew = False


def when_ready(server):
    server.log.info("ready, %d workers on %s", server.cfg.workers, bind)


def post_fork(server, worker):
    server.log.info("worker spawned (pid: %s)", worker.pid)
