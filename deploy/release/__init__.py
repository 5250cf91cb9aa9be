"""Release of a version into an account: CDK, checks after a deployment, audit; used by the commands."""
