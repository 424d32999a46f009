"""`dynamirror demo`: the real service on an embedded emulator, a small writer, and a display of both tables.

Read `show` first; `emulator` is the world, `writer` changes it, `scene` looks at it and tells what is new, `screen`
shows it.
"""
