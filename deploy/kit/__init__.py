"""What every unit of the deployment is built with: names, grants, functions, queues, buckets, packages."""
