"""The application: found, told from what is none, loaded, and called once to see how it goes."""
