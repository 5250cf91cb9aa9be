"""The function of the canary: it publishes a reading, and checks the costs of those before."""
