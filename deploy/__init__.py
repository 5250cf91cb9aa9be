"""Deployment: the local endpoint and its resources; AWS infrastructure."""
