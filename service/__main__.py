"""`python -m service COMMAND` is `dynamirror COMMAND`."""

from service.cli import main

main()
