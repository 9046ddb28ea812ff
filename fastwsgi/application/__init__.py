"""The application: found, recognised as one, loaded, and called once to see whether it answers."""
