"""The bounded run: the dataflow of the job from files to Parquet, without AWS; and publishing of files."""
