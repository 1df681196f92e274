"""python -m server: the same as creator-graph."""

from server.cli import main

main()
