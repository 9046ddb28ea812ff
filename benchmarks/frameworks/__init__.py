"""Applications of real frameworks, each a file, and so a process, of its own; versions: requirements-frameworks.txt."""
