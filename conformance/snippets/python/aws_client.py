# A client without a region, an ARN, and both forms of a value.
import os

import boto3

client = boto3.client("secretsmanager")
for arn in (os.environ["TEXT_ARN"], os.environ["BINARY_ARN"]):
    response = client.get_secret_value(SecretId=arn)
    if "SecretString" in response:
        print(response["SecretString"])
    else:
        print(response["SecretBinary"].hex())
