"""boto3 reads what the AWS CLI has written: `boto.py FILE`, the file of `playbook.py build`."""

import json
import re
import shlex
import sys

import boto3
from botocore import xform_name

CLIENT = boto3.client("proton")
SEEN = json.load(open(sys.argv[1], encoding="utf-8"))


def plain(value):
    """Timestamps are numbers on the wire, and dates here."""
    return json.loads(json.dumps(value, default=lambda moment: moment.timestamp()))


def stripped(answer):
    return {name: value for name, value in plain(answer).items() if name != "ResponseMetadata"}


def read_back():
    """Each get and list command once more, by its method, with the same answer."""
    for command, expected in SEEN.items():
        name, *flags = shlex.split(command)
        given = dict(zip(flags[::2], flags[1::2]))
        parameters = {
            re.sub(r"-(\w)", lambda letter: letter.group(1).upper(), flag[2:]): value for flag, value in given.items()
        }
        answer = stripped(getattr(CLIENT, name.replace("-", "_"))(**parameters))
        answer.pop("nextToken", None)
        assert answer == expected, f"{command}\nwrote {expected}\nread  {answer}"


# What each paginator needs besides the page's size.
PAGINATORS = {
    "ListComponentOutputs": {"componentName": "voice"},
    "ListComponentProvisionedResources": {"componentName": "voice"},
    "ListComponents": {},
    "ListDeployments": {},
    "ListEnvironmentAccountConnections": {"requestedBy": "MANAGEMENT_ACCOUNT"},
    "ListEnvironmentOutputs": {"environmentName": "dev"},
    "ListEnvironmentProvisionedResources": {"environmentName": "dev"},
    "ListEnvironmentTemplateVersions": {"templateName": "network"},
    "ListEnvironmentTemplates": {},
    "ListEnvironments": {},
    "ListRepositories": {},
    "ListRepositorySyncDefinitions": {
        "repositoryName": "team/other",
        "repositoryProvider": "GITHUB",
        "syncType": "TEMPLATE_SYNC",
    },
    "ListServiceInstanceOutputs": {"serviceName": "shop", "serviceInstanceName": "first"},
    "ListServiceInstanceProvisionedResources": {"serviceName": "shop", "serviceInstanceName": "first"},
    "ListServiceInstances": {},
    "ListServicePipelineOutputs": {"serviceName": "shop"},
    "ListServicePipelineProvisionedResources": {"serviceName": "shop"},
    "ListServiceTemplateVersions": {"templateName": "app"},
    "ListServiceTemplates": {},
    "ListServices": {},
    "ListTagsForResource": {"resourceArn": next(c for c in SEEN if c.startswith("list-tags")).split()[-1]},
}


def paginate():
    """Page by page it is the same as at once."""
    for name, parameters in PAGINATORS.items():
        method = xform_name(name)
        paginator = CLIENT.get_paginator(method)
        key = paginator.result_keys[0].expression
        whole = plain(getattr(CLIENT, method)(**parameters))[key]
        limited = paginator._limit_key is not None
        config = {"PageSize": 1} if limited else {}
        pages = [plain(page)[key] for page in paginator.paginate(**parameters, PaginationConfig=config)]
        assert [one for page in pages for one in page] == whole, name
        if limited:
            assert all(len(page) <= 1 for page in pages), name


WAITERS = {
    "component_deleted": {"name": "nobody"},
    "component_deployed": {"name": "voice"},
    "environment_deployed": {"name": "dev"},
    "environment_template_version_registered": {"templateName": "network", "majorVersion": "1", "minorVersion": "0"},
    "service_created": {"name": "shop"},
    "service_deleted": {"name": "nobody"},
    "service_instance_deployed": {"serviceName": "shop", "name": "first"},
    "service_pipeline_deployed": {"name": "shop"},
    "service_template_version_registered": {"templateName": "app", "majorVersion": "1", "minorVersion": "0"},
    "service_updated": {"name": "shop"},
}


def wait():
    assert sorted(CLIENT.waiter_names) == sorted(WAITERS), CLIENT.waiter_names
    for name, parameters in WAITERS.items():
        CLIENT.get_waiter(name).wait(**parameters, WaiterConfig={"Delay": 1, "MaxAttempts": 3})


def refusals():
    """Errors are of the types that the SDK knows."""
    try:
        CLIENT.get_environment(name="nobody")
    except CLIENT.exceptions.ResourceNotFoundException as refusal:
        assert refusal.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert refusal.response["message"], refusal.response
    try:
        CLIENT.create_environment_template(name="network")
    except CLIENT.exceptions.ConflictException as refusal:
        assert "network" in str(refusal), refusal


read_back()
paginate()
wait()
refusals()
print(json.dumps({"read": len(SEEN), "paginators": len(PAGINATORS), "waiters": len(WAITERS)}))
