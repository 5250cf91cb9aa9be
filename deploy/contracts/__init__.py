"""The contract store: the latest contract of every meter, stored beyond the retention of the stream."""
