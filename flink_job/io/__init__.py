"""Input and output: files of records in any format, folders and S3 prefixes, Kinesis streams."""
