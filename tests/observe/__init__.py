"""Access log, error log, trace: fastwsgi/observe, and what must not be in them."""
