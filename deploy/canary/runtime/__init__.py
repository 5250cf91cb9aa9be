"""Lambda function of the canary: publishes a reading and checks the costs of earlier readings."""
