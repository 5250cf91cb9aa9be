"""The dataflow: sources, SQL views and operators, sinks, and the environment that they run in."""
