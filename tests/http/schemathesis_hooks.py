"""Teaches schemathesis the kinds of bodies that it does not know."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(ctx, value):
    """Text goes as it is; anything else as one line of JSON."""
    return value if isinstance(value, (bytes, str)) else json.dumps(value) + "\n"


# Bytes as they are.
schemathesis.serializer.alias("application/partial-upload", "application/octet-stream")
