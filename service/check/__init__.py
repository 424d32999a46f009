"""`dynamirror check`: looks at all that a pipeline needs, changes nothing, and says what is right and what to do."""
