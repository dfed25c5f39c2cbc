"""Holds manifests against the schemas of Kubernetes and KEDA, and prints them as JSON: a list of [file, object].

    check.py KEDA-SCHEMA FILE...

What is wrong goes to stderr, a line each: the file, the object, where in it, and why.
"""

import json
import sys
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from kubernetes_validate import utils

# Clusters that are in use: what only one of them knows is no manifest for all.
VERSIONS = ("1.30", utils.latest_version())


class UniqueKeys(yaml.SafeLoader):
    """Refuses what YAML allows and nobody means: one key twice, of which the last one holds."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"{sorted(twice)} twice", node.start_mark)
        return super().construct_mapping(node, deep)


def core(manifest):
    """Mistakes of an object of Kubernetes itself; unknown fields are some."""
    for version in VERSIONS:
        try:
            utils.validate(manifest, version, strict=True)
        except utils.ValidationError as error:
            yield f"{'/'.join(str(step) for step in error.absolute_path)}: {error.message} (Kubernetes {error.version})"
        except utils.SchemaNotFoundError as error:
            yield error.message


def keda(manifest, schemas):
    """Mistakes of an object of KEDA, the job in it included."""
    schema = {**schemas, "$ref": f"#/$defs/{manifest['kind']}"}
    for error in Draft202012Validator(schema).iter_errors(manifest):
        yield f"{'/'.join(str(step) for step in error.absolute_path)}: {error.message}"
    job = manifest.get("spec", {}).get("jobTargetRef")
    if isinstance(job, dict):
        yield from core({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "of-it"}, "spec": job})


def main():
    schemas = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    found, wrong = [], 0
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            manifests = [manifest for manifest in yaml.load_all(file, UniqueKeys) if manifest]
        for manifest in manifests:
            is_keda = manifest["apiVersion"].startswith("keda.sh/")
            for mistake in keda(manifest, schemas) if is_keda else core(manifest):
                wrong += 1
                print(f"{path}: {manifest['kind']}: {mistake}", file=sys.stderr)
            found.append([Path(path).name, manifest])
    print(json.dumps(found))
    return 1 if wrong or not found else 0


if __name__ == "__main__":
    sys.exit(main())
