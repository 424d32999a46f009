"""dynamirror keeps a replica of a DynamoDB table: it reads the table's stream and applies every change, in order.

The flow, and who promises what:

    source table ── DynamoDB Stream
                        │   replication.readers      finds the shards; parents before children (I1)
                        │   replication.lineage      what lists and checkpoints tell; one list proves nothing (I1, I2)
                        │   replication.shard_reader one shard, in order, nothing twice
                        ▼
                    replication.change_queue         bounded in records and bytes; full, it stops the readers (I4)
                        ▼
                    replication.lanes                a key has one lane; one write of a key at a time (I1)
                        ▼
                    replication.sink                 batches, guarded writes, poison set apart (I7)
                        │   replication.shape        what an item looks like; bytes stay bytes (I6)
                        │   replication.transforming the user's transform, beside the event loop
                        │   replication.guard        never back (I3)
                        │   replication.doubts       writes that were given up and may come late (I3)
                        │   replication.second_looks … looked at again, and mended
                        │   replication.look_ahead   both tables looked at for a batch, where Lambda replicates (I3)
                        │   replication.copier       a scan's items beside the stream (I3)
                        │   replication.gate         pause, trust in the lease, pressure
                        ▼
                    replica table
                        │   replication.replica_watch  it still is the table that was written (I6)
                        ▼ settled
                    replication.progress             only the unbroken run from the front counts (I2)
                        ▼
                    replication.checkpoints          saved in the control table, fenced by the lease (I5)

Read it in this order: `model` and `control` (the values), `errors` (a class is a reaction), `ports` (the outside),
then `replication` as drawn above with `replicator` (who owns the tasks), `lease` and `tenure` (whose turn it is, and
from where), then `operations.pipeline` (one process's life) and the jobs beside it (snapshot, verification, replay,
dead letters). `aws` implements the ports; `app` puts everything together. Lag is `replication.lag` (I8).
"""
