"""Says whether a description of an API is one, and whether each of its examples has the shape that it stands for."""

import json
import sys

from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate


def examples(document):
    """Every example with its schema, and where it stands."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method.upper()} {path}"
            for parameter in operation["parameters"]:
                if "example" in parameter:
                    yield f"{where} {parameter['name']}", parameter["schema"], parameter["example"]
            for kind, media in operation.get("requestBody", {}).get("content", {}).items():
                yield f"{where} body {kind}", media["schema"], media["example"]
            for status, answer in operation["responses"].items():
                for kind, media in answer.get("content", {}).items():
                    if "example" in media:
                        yield f"{where} {status} {kind}", media["schema"], media["example"]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
    validate(document)
    wrong = checked = 0
    for where, schema, example in examples(document):
        checked += 1
        # References lead into the components, so those go along.
        whole = {**schema, "components": document["components"]}
        for error in Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(example):
            wrong += 1
            print(f"{where}: {error.json_path}: {error.message}")
    print(f"{checked} examples, {wrong} mistakes")
    return 1 if wrong or not checked else 0


sys.exit(main())
