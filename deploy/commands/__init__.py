"""Commands of `python -m deploy`; each module has a Typer app with the commands of one subject."""
