"""dynamirror keeps a replica of a DynamoDB table: it reads the table's stream and applies every change, in order.

A record's way, file by file, and who keeps which promise:

    source table ── DynamoDB Stream
                        │   aws.streams                        asks; dynamodb_json.records reads the answer
                        │   replication.reading.stream_reader  finds the shards; parents before children (I1)
                        │   replication.reading.lineage        which may be read; one list proves nothing (I1, I2)
                        │   replication.reading.shard_reader   one shard, in order, nothing twice
                        ▼
                    replication.change_queue              bounded in records and bytes; full, it stops the readers (I4)
                        ▼
                    replication.writing.lanes             one lane per key; one write of a key at a time (I1)
                        ▼
                    replication.writing.sink              batches, guarded writes, poison set apart (I7)
                        │   .write_context                 what each of these works with
                        │   .desired_state                 what a change wants the replica to hold
                        │   .item_shape, .transforming     what an item looks like; bytes stay bytes (I6)
                        │   .guard, .guard_window          never back (I3)
                        │   .prefetch                      both tables read for 25 guarded changes at once
                        │   .second_looks                  mends what a lost request did late (I3); replication.doubts
                        │   .scan_copier, .scan_barrier    a scan's items beside the stream (I3)
                        ▼
                    replication.requests                  write_gate: pause, lease, pressure; retrying: until answered
                        │   .replica_watch                 it still is the table that was written (I6)
                        ▼
                    aws.tables ── replica table
                        ▼ answered
                    replication.progress.progress         settled: only the unbroken run from the front counts (I2)
                        ▼
                    replication.progress.checkpoints      saved in the control table, fenced by the lease (I5)

A snapshot: `operations.snapshot.snapshots` (started once, resumed, cancelled, by `operations.jobs.runner`), then
`operations.snapshot.run` (scans the source in segments), then `replication.writing.scan_copier` (writes through the
lanes). A replay: `operations.replay.replays`, then `range` (what is read), `run` and `reader` (reads it again), `page`
(refreshes its keys from the source, where the replica differs). `replication.job_flow` is what jobs ask of the flow.

Read it in this order: `model` and `pipeline_state` (the values), `errors` (a class is a reaction), `ports` (the
outside), then `replication` as drawn above with `flow` (who owns the tasks), `replicator`, `lease`, `lease_term` (whose
turn, from where), then `operations.pipeline` (one process's life) and the jobs beside it. `aws` implements the ports;
`adapters` and `app` put everything together; `cli`, `api`, `lambda_mode` and `demo` are the ways in. Lag is
`replication.progress.lag` (I8). Imports point down: pyproject.toml has the order of the rooms.

Each thing is begun and ended in one of three ways. What holds connections is an async context manager. What works on
its own account (the fleet, a pipeline and its runner, the API's server) has a `run` or `serve` that returns after
`stop`; a second `stop` of a pipeline ends at once. A flow's `replicate` returns after `drain`, and at once after
`give_up`. Everything else is a task of one of these, and ends by being cancelled.

replication/writing/README.md argues, case by case, why nothing is taken back (I3). docs/glossary.md explains the words.
A number such as (E66) is a statement of docs/edge-cases.md.
"""
