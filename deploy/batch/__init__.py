"""The bounded run of an uploaded file, in a container."""
