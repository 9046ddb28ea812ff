"""What makes the server at home in a framework: each module here is imported by that framework's own tools."""
