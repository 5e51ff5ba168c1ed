"""The exit codes of all commands; click itself exits with 2 on wrong usage."""

FAILED = 1
BEHIND = 3
DIFFERS = 4
