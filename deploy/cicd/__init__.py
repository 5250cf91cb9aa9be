"""Deployment from GitHub Actions: roles that workflows assume with OIDC, without stored keys, and a workflow."""
