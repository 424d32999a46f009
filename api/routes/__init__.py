"""The calls of the API, by what they are about. Each builds its router on a console, and adds nothing of its own."""
