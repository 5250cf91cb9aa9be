"""Code of the alerting functions. It runs on AWS Lambda with aws-lambda-powertools and boto3, and imports no other part
of this project but what is shared (deploy/kit/bundling.py).
"""
