"""Code of the alerting functions, run on AWS Lambda with aws-lambda-powertools and boto3.

From the rest of the project it imports only the shared modules that deploy/kit/bundling.py lists.
"""
