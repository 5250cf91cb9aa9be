"""The job on this machine: an embedded AWS endpoint, its resources, and one command that shows the whole path."""
