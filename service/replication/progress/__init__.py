"""How far the stream is applied: settled changes, checkpoints, lag (I2, I8)."""
