# As the console of AWS Secrets Manager shows it.
import json

import boto3
from botocore.exceptions import ClientError


def get_secret():
    secret_name = "prod/db"
    region_name = "eu-west-1"

    # Create a Secrets Manager client
    session = boto3.session.Session()
    client = session.client(service_name="secretsmanager", region_name=region_name)

    try:
        get_secret_value_response = client.get_secret_value(SecretId=secret_name)
    except ClientError as e:
        # For a list of exceptions thrown, see
        # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
        raise e

    return get_secret_value_response["SecretString"]


db = json.loads(get_secret())
print(db["username"], db["password"])
