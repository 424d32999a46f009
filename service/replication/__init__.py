"""The flow, in order: shard_tree, shard_reader, change_queue, lanes, sink, progress, lag; replicator owns its tasks."""
