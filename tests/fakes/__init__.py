"""DynamoDB in memory, behind the service's own ports: exact about order, conditions and limits, wild about timing.

clock   virtual time                          world   all of it together, with processes that can crash
stream  shards, iterators, what is late       source  the table that feeds the stream
replica conditional and batched writes        faults  what goes wrong, and when, from a seed

What must hold at the end of each history: tests/support/invariants.py.
tests/contract runs the same tests on these and on real servers, which keeps them honest.
"""
