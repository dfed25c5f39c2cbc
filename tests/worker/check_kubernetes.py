"""Checks manifests against the schemas of several versions of Kubernetes. Prints the worker's configuration."""

import sys

import kubernetes_validate
import yaml

# What clusters run: the oldest with everything that is used, to the newest that is known.
VERSIONS = ["1.31", "1.33", kubernetes_validate.latest_version()]

for path in sys.argv[1:]:
    for document in yaml.safe_load_all(open(path)):
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                where = "/".join(map(str, error.path))
                sys.exit(f"{path}: {document['kind']}: {where}: {error.message} (Kubernetes {version})")
        if document["kind"] == "ConfigMap":
            print(document["data"]["clm.toml"])
