"""The house itself: its layers, its packages and documents, and the tools in benchmarks/ and ci/."""
