"""Building blocks of every unit of the deployment: names, grants, functions, queues, buckets, packages."""
