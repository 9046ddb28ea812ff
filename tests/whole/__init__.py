"""Whole servers: under real applications, behind real proxies, with big bodies, for many requests."""
