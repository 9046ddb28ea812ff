"""What ci/fleet.py is made of: machines, what runs on them, the load, and the accounts."""
