"""What tests and the scripts of ci/ share: servers, clients, benches, tables and generators of inputs."""
