"""What tells that something is wrong: alarms, a dashboard, a budget."""
