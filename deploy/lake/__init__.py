"""Storage of the output: Firehose to Parquet, Glue tables and views, Athena, the last values of each meter."""
