"""Monitoring for operators: alarms, a dashboard, a budget."""
