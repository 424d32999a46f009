"""Mistakes that are planted on purpose, one at a time, to see that a test notices each. See tests/README.md."""
