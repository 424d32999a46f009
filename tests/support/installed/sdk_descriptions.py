"""Imported for its effect: the SDK's descriptions of services are parsed, for all processes that are forked from here.

To parse them takes half of what is left of a start.
"""

import botocore.session

from service.aws.sessions import shared_descriptions

_session = botocore.session.get_session()
_session.register_component("data_loader", shared_descriptions(None))
for _service in ("dynamodb", "dynamodbstreams"):
    _session.create_client(_service, region_name="eu-central-1")
