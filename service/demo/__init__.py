"""`dynamirror demo`: the real service on an embedded emulator, a small writer, and a display of both tables.

Read `show` first; `emulator` is the world, `writer` changes it, `scene` looks at it, `changes` tells what is new in it,
`screen` shows it.
"""
