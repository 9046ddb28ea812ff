"""What users call: the command, make_server() and its classes, the demo, and the build that they get."""
