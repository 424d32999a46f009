"""From the queue to the replica: lanes, batches, guarded writes, what items look like (I1, I3, I6)."""
