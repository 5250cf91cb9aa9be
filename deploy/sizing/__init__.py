"""Cost and scale on paper, from what was measured."""
