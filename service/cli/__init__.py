"""The command line: `dynamirror run`, `snapshot`, `verify`, and the clients of the admin API."""
