"""Putting a version into an account: the commands behind `make deploy` and `make destroy`."""
