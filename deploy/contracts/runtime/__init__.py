"""Functions of the contract store."""
