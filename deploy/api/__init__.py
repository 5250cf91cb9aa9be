"""Who may ask: people in a user pool, queries on demand."""
