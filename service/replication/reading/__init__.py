"""From the stream to the queue: shards, their lineage, their records in order (I1, I2)."""
