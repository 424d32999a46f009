"""One process's life with one pipeline: waiting for its turn, running, paused, failed, stopped."""
