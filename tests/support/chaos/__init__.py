"""A machine that makes bad nights: real servers, the installed command, and everything that may go wrong between them.

`proxy` is a DynamoDB that misbehaves on purpose, in front of an emulator; `virtual_stream` shows its one real shard
as a `lineage` that rolls and splits; `faults` says what goes wrong and how often; `proxy_record` remembers what a
reader of the replica would have seen. `history` makes whole nights from a seed, `verdict` judges them by the
invariants.
"""
