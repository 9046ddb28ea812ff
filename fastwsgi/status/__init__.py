"""What the service tells of itself: its figures, read from the memory that its processes share, and their views."""
