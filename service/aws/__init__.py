"""The AWS adapters of service.ports: the only package that imports botocore, aiobotocore or aioboto3."""
