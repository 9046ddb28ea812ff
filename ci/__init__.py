"""What CI runs: commands, as README.md here lists them, and packages of what they are made of."""
