"""Reading and writing files and AWS services: records of any format, folders and S3 prefixes, streams."""
