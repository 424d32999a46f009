"""How long a test waits for what is sure to come: only there to end a test that hangs, on the busiest machine too."""

PATIENCE_SECONDS = 150.0
