"""What can go wrong, and the exit code that says so (cli/cli.h)."""

DIVERGED = 1
USAGE = 2
INCOMPLETE = 3
INTERRUPTED = 130


class Unusable(Exception):
    """Nothing can be measured; one line for the user."""


class TrialFailed(Exception):
    """One guest did not do its work; the others may."""
