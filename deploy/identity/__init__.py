"""Users of the console and the APIs: the Cognito user pool and its groups."""
