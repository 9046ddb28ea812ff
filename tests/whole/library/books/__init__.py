"""Books, and the files that readers hand in with them."""
