"""`tables.py create` makes the source tables with their streams on the emulator; `tables.py write` makes changes there.

Either may be run again. `EMULATOR_URL` is where the emulator answers; the container's network calls it `emulator`.
"""

import os
import random
import sys
import time

import boto3

TABLES = ["master-table", "shop-customers", "shop-orders"]
KEYS = [f"key{number}" for number in range(1, 21)]
REST_SECONDS = 0.2

dynamodb = boto3.client("dynamodb", endpoint_url=os.environ.get("EMULATOR_URL", "http://emulator:5000"))


def create() -> None:
    for table in TABLES:
        create_one(table)


def create_one(table: str) -> None:
    try:
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
    except dynamodb.exceptions.ResourceInUseException:
        print(f"{table} is there already")


def write() -> None:
    number = 0
    while True:
        number += 1
        table, key = random.choice(TABLES), {"key": {"S": random.choice(KEYS)}}
        if number % 4:
            dynamodb.put_item(TableName=table, Item={**key, "value": {"N": str(number)}})
        else:
            dynamodb.delete_item(TableName=table, Key=key)
        time.sleep(REST_SECONDS)


if __name__ == "__main__":
    {"create": create, "write": write}[sys.argv[1]]()
