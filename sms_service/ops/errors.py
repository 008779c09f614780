"""What stops the operator's commands."""


class OperationError(Exception):
    """The command cannot go on; the message is one line that says why and what to do."""
