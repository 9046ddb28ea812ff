"""Of ci/manual.py: the blocks of a page, the shell script that they make, and what stands around it when it runs."""
