"""The job as Managed Flink takes it: packaged, checked, rehearsed."""
