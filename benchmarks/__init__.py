"""How fast the service is, as ratios to two neighbours that run in turns with it; nothing here is installed.

`python -m benchmarks` runs the cases; `stub` is the server they all speak to, `obvious` the program that one would
write first, `limit` what no program can beat. `RESULTS.md` holds a run with its machine.
"""
