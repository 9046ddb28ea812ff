"""The application: found, told apart from what is none, loaded, and called once to see whether it answers."""
