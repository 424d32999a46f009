"""What tests of several folders stand on, and what one folder's tests need that is no test.

installed     the installed command as a process, what it runs on and what it is asked by
chaos         a DynamoDB that misbehaves, and the judgement of a night with it
container     the image, built and started by buildah
histories     random histories of the flow on virtual time

tests/fakes is the world in memory, tests/servers the real ones.
"""
