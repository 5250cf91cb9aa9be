"""The bounded run: the same dataflow from files to Parquet, no AWS needed."""
