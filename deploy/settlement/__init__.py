"""Settlement on a schedule: a state machine that settles the billing cycles with news in a Fargate task."""
