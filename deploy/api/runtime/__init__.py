"""Query API: parameterised queries over the lake, run in Athena, limited to the caller's sites."""
