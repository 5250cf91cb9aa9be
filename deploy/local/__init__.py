"""The job on this machine: a local AWS endpoint, its resources, and a demo of the whole path."""
