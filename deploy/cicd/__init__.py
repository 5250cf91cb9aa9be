"""Deployment from GitHub Actions: roles that workflows may assume, without keys kept anywhere, and a workflow."""
