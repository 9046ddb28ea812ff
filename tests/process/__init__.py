"""The supervisor, its workers, their signals, reload and end: fastwsgi/process."""
