"""The flow, in order: lineage, shard_reader, change_queue, lanes, sink, progress, lag; replicator owns its tasks."""
