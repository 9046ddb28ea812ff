"""The settings, each declared once, and the sources of their values."""
