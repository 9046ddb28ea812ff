"""What ci/faults.py and ci/abuse.py run on: a server under load, and clients that misbehave."""
