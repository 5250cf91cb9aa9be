"""What a Python user would pick instead, over the same input. They run in an environment of their own."""
