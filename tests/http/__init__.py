"""What HTTP and WSGI ask: fastwsgi/http, and what an application and its client see of it."""
