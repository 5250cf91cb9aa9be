"""The package on a real Flink cluster with local AWS services, as Managed Flink would run it."""
