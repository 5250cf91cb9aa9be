"""The last values of each meter: written from the streams of readings and contracts."""
