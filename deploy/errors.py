"""Base class of errors that commands print."""

from __future__ import annotations


class DeployError(Exception):
    """An error whose message names the cause and the next step; commands print it and exit with code 1."""
