"""Function that writes last values of each meter from the streams of readings and contracts."""
