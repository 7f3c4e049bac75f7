"""Every command of `aws proton`, at least once, as a platform team and its developers would use them.

    playbook.py build FILE    makes everything, and writes what the get commands say to FILE
    playbook.py rest          updates, cancels and deletes

The AWS CLI runs in this process, which saves half a second a command; it is the real one, arguments, parsing and all.
"""

import contextlib
import io
import json
import shlex
import sys
import time

from awscli.clidriver import create_clidriver

DRIVER = create_clidriver()
PATIENCE = 240

SPEC = """proton: ServiceSpec
pipeline:
  word: ""
instances:
  - name: first
    environment: dev
    spec:
      word: ""
"""
SECOND = SPEC + """  - name: second
    environment: dev
    spec:
      word: ""
"""
ENVIRONMENT = 'proton: EnvironmentSpec\nspec:\n  pause: "{}"\n'
MANIFEST = """infrastructure:
  templates:
    - file: main.tf
      rendering_engine: hcl
      template_language: terraform
"""
COMPONENT = 'output "Shout" {\n  value = "LOUD"\n}\n'


class Refused(Exception):
    """The service's refusal, in the AWS CLI's words."""


def aws(command, **options):
    """Runs `aws proton COMMAND`; an option's value is passed as it is, or as JSON."""
    arguments = ["proton", *shlex.split(command)]
    for name, value in options.items():
        arguments.append("--" + name.replace("_", "-"))
        if value is not True:
            arguments.append(value if isinstance(value, str) else json.dumps(value))
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = DRIVER.main(arguments)
    if code != 0:
        raise Refused(f"{arguments}: {code} {err.getvalue()}")
    text = out.getvalue().strip()
    return json.loads(text) if text else {}


def refused(error, command, **options):
    """Insists on a refusal of that name."""
    try:
        aws(command, **options)
    except Refused as refusal:
        assert error in str(refusal), refusal
    else:
        raise AssertionError(f"{command} was not refused")


def until(done, command):
    """Asks again and again until the answer is as it should be; the CLI's own waiters pause for five seconds."""
    began = time.monotonic()
    while True:
        answer = aws(command)
        if done(answer):
            return answer
        assert time.monotonic() - began < PATIENCE, f"{command} never got there: {answer}"
        time.sleep(0.2)


def settled(member):
    """Whether a resource's deployment has ended."""

    def done(answer):
        inner = answer
        for name in member.split("."):
            inner = inner[name]
        return inner["deploymentStatus"] not in ("IN_PROGRESS", "CANCELLING")

    return done


def active(answer):
    return not answer["service"]["status"].endswith("IN_PROGRESS")


def template(kind, name, key, **options):
    aws(f"create-{kind}-template --name {name} --display-name 'A template' --description first")
    aws(f"create-{kind}-template-version --template-name {name}", source={"s3": {"bucket": "templates", "key": key}}, **options)
    version = f"--template-name {name} --major-version 1 --minor-version 0"
    aws(f"wait {kind}-template-version-registered {version}")
    aws(f"update-{kind}-template-version {version} --status PUBLISHED")
    aws(f"update-{kind}-template --name {name} --display-name 'The template'")
    # One more that nobody needs.
    aws(f"create-{kind}-template-version --template-name {name} --major-version 1", source={"s3": {"bucket": "templates", "key": key}}, **options)
    next_version = f"--template-name {name} --major-version 1 --minor-version 1"
    aws(f"wait {kind}-template-version-registered {next_version}")
    aws(f"delete-{kind}-template-version {next_version}")
    aws(f"create-{kind}-template --name {name}-unused")
    aws(f"delete-{kind}-template --name {name}-unused")


def build():
    seen = {}

    def keep(command, **options):
        seen[command] = aws(command, **options)
        return seen[command]

    template("environment", "network", "network.tar.gz")
    compatible = [{"templateName": "network", "majorVersion": "1"}]
    template("service", "app", "app.tar.gz", compatible_environment_templates=compatible, supported_component_sources=["DIRECTLY_DEFINED"])
    for kind, name in (("environment", "network"), ("service", "app")):
        keep(f"get-{kind}-template --name {name}")
        keep(f"get-{kind}-template-version --template-name {name} --major-version 1 --minor-version 0")
        keep(f"list-{kind}-templates")
        keep(f"list-{kind}-template-versions --template-name {name}")

    connection = "arn:aws:codestar-connections:us-east-1:123456789012:connection/a1b2c3d4"
    for name in ("team/code", "team/other"):
        aws(f"create-repository --provider GITHUB --name {name} --connection-arn {connection}")
    keep("get-repository --provider GITHUB --name team/code")
    keep("list-repositories")
    aws("update-account-settings", pipeline_provisioning_repository={"provider": "GITHUB", "name": "team/code", "branch": "main"})
    keep("get-account-settings")
    accounts()
    keep("list-environment-account-connections --requested-by MANAGEMENT_ACCOUNT")

    aws("create-environment --name dev --template-name network --template-major-version 1", spec=ENVIRONMENT.format(""))
    aws("wait environment-deployed --name dev")
    keep("get-environment --name dev")
    keep("list-environments")
    keep("list-environment-outputs --environment-name dev")
    keep("list-environment-provisioned-resources --environment-name dev")

    aws(
        "create-service --name shop --template-name app --template-major-version 1 --repository-id team/code --branch-name main",
        repository_connection_arn=connection,
        spec=SPEC,
        tags=[{"key": "owner", "value": "payments"}],
    )
    until(active, "get-service --name shop")
    aws("wait service-created --name shop")
    aws("wait service-pipeline-deployed --name shop")
    aws("wait service-instance-deployed --service-name shop --name first")
    aws("update-service --name shop", spec=SECOND)
    until(active, "get-service --name shop")
    aws("wait service-updated --name shop")

    aws("create-component --name voice --service-name shop --service-instance-name first", manifest=MANIFEST, template_file=COMPONENT)
    aws("wait component-deployed --name voice")
    keep("get-component --name voice")
    keep("list-components")
    keep("list-component-outputs --component-name voice")
    keep("list-component-provisioned-resources --component-name voice")
    keep("get-service --name shop")
    keep("list-services")
    keep("get-service-instance --service-name shop --name first")
    keep("get-service-instance --service-name shop --name second")
    keep("list-service-instances")
    for one in ("service-instance", "service-pipeline"):
        of = "--service-name shop" + (" --service-instance-name first" if one == "service-instance" else "")
        keep(f"list-{one}-outputs {of}")
        keep(f"list-{one}-provisioned-resources {of}")

    arn = seen["get-service --name shop"]["service"]["arn"]
    aws(f"tag-resource --resource-arn {arn}", tags=[{"key": "tier", "value": "1"}, {"key": "gone", "value": "soon"}])
    aws(f"untag-resource --resource-arn {arn} --tag-keys gone")
    keep(f"list-tags-for-resource --resource-arn {arn}")
    deployments = keep("list-deployments")["deployments"]
    keep(f"get-deployment --id {deployments[0]['id']}")
    repeat_a_report(deployments)
    aws(f"delete-deployment --id {superseded(deployments)}")
    keep("list-deployments")
    sync(keep)
    keep("get-resources-summary")
    return seen


def accounts():
    """Both sides are one account here; two accounts are another test's business."""
    role = "arn:aws:iam::123456789012:role/proton"
    ids = []
    for name in ("one", "two", "three"):
        made = aws(f"create-environment-account-connection --environment-name {name} --management-account-id 123456789012 --role-arn {role}")
        ids.append(made["environmentAccountConnection"]["id"])
    one, two, three = ids
    aws(f"update-environment-account-connection --id {one} --role-arn {role}-next")
    assert aws(f"get-environment-account-connection --id {one}")["environmentAccountConnection"]["roleArn"] == role + "-next"
    accepted = aws(f"accept-environment-account-connection --id {one}")
    assert accepted["environmentAccountConnection"]["status"] == "CONNECTED", accepted
    rejected = aws(f"reject-environment-account-connection --id {two}")
    assert rejected["environmentAccountConnection"]["status"] == "REJECTED", rejected
    aws(f"delete-environment-account-connection --id {three}")
    refused("ResourceNotFoundException", f"get-environment-account-connection --id {three}")


def superseded(deployments):
    """A deployment that nothing refers to any more."""
    pipeline = [one for one in deployments if one["targetResourceType"] == "SERVICE_PIPELINE"]
    assert len(pipeline) > 1, deployments
    return pipeline[-1]["id"]


def repeat_a_report(deployments):
    """Pipelines repeat their last report when they are run again; nothing changes."""
    one = next(one for one in deployments if one["deploymentStatus"] == "SUCCEEDED" and one.get("environmentName") == "dev" and not one.get("serviceName"))
    aws(f"notify-resource-deployment-status-change --resource-arn {one['targetArn']} --deployment-id {one['id']} --status SUCCEEDED")


def sync(keep):
    of = "--repository-provider GITHUB --repository-name team/other --branch main"
    one = "--template-name network --template-type ENVIRONMENT"
    aws(f"create-template-sync-config {one} {of} --subdirectory environments")
    aws(f"update-template-sync-config {one} {of} --subdirectory templates")
    assert keep(f"get-template-sync-config {one}")["templateSyncConfig"]["subdirectory"] == "templates"
    assert not aws(f"get-template-sync-status {one} --template-version 1").get("latestSync")
    assert not aws(f"get-repository-sync-status {of} --sync-type TEMPLATE_SYNC").get("latestSync")
    keep("list-repository-sync-definitions --repository-provider GITHUB --repository-name team/other --sync-type TEMPLATE_SYNC")

    aws(f"create-service-sync-config --service-name shop {of} --file-path ops.yaml")
    aws(f"update-service-sync-config --service-name shop {of} --file-path proton/ops.yaml")
    keep("get-service-sync-config --service-name shop")
    assert not aws("get-service-instance-sync-status --service-name shop --service-instance-name first").get("latestSync")


def rest():
    aws("update-environment --name dev --description 'for development' --deployment-type NONE")
    aws("update-service --name shop --description 'sells things'")
    aws("update-component --name voice --deployment-type CURRENT_VERSION --service-name '' --service-instance-name ''", template_file=COMPONENT)
    until(settled("component"), "get-component --name voice")
    until(settled("serviceInstance"), "get-service-instance --service-name shop --name first")

    aws("create-service-instance --service-name shop --name third", spec=SECOND.replace("name: second", "name: third"))
    until(settled("serviceInstance"), "get-service-instance --service-name shop --name third")
    aws("update-service-instance --service-name shop --name first --deployment-type CURRENT_VERSION")
    until(settled("serviceInstance"), "get-service-instance --service-name shop --name first")
    aws("update-service-pipeline --service-name shop --deployment-type CURRENT_VERSION", spec=SPEC)
    until(settled("service.pipeline"), "get-service --name shop")
    blocked_by_hand()
    cancel()
    delete()


def blocked_by_hand():
    """An instance that was changed by hand isn't synced until somebody says that it may be."""
    summary = aws("get-service-sync-blocker-summary --service-name shop --service-instance-name first")
    blockers = summary["serviceSyncBlockerSummary"]["latestBlockers"]
    assert blockers and blockers[0]["status"] == "ACTIVE", summary
    resolved = aws(f"update-service-sync-blocker --id {blockers[0]['id']} --resolved-reason 'meant it'")
    assert resolved["serviceSyncBlocker"]["status"] == "RESOLVED", resolved


def cancel():
    """Deployments that take a minute, cancelled at once."""
    slow = SECOND.replace('word: ""', 'word: "60"')
    aws("update-environment --name dev --deployment-type CURRENT_VERSION", spec=ENVIRONMENT.format(60))
    aws("cancel-environment-deployment --environment-name dev")
    until(settled("environment"), "get-environment --name dev")
    aws("update-service-instance --service-name shop --name second --deployment-type CURRENT_VERSION", spec=slow)
    aws("cancel-service-instance-deployment --service-name shop --service-instance-name second")
    until(settled("serviceInstance"), "get-service-instance --service-name shop --name second")
    aws("update-service-pipeline --service-name shop --deployment-type CURRENT_VERSION", spec=slow)
    aws("cancel-service-pipeline-deployment --service-name shop")
    until(settled("service.pipeline"), "get-service --name shop")
    wait = 'resource "terraform_data" "wait" {\n  provisioner "local-exec" {\n    command = "sleep 60"\n  }\n}\n'
    aws("update-component --name voice --deployment-type CURRENT_VERSION", template_file=wait)
    aws("cancel-component-deployment --component-name voice")
    until(settled("component"), "get-component --name voice")


def delete():
    aws("delete-service-sync-config --service-name shop")
    aws("delete-template-sync-config --template-name network --template-type ENVIRONMENT")
    aws("delete-component --name voice")
    aws("wait component-deleted --name voice")
    aws("delete-service --name shop")
    aws("wait service-deleted --name shop")
    aws("delete-environment --name dev")
    began = time.monotonic()
    while True:
        try:
            aws("get-environment --name dev")
        except Refused as refusal:
            assert "ResourceNotFoundException" in str(refusal), refusal
            break
        assert time.monotonic() - began < PATIENCE, "the environment never goes"
        time.sleep(0.2)
    aws("update-account-settings --delete-pipeline-provisioning-repository")
    for name in ("team/code", "team/other"):
        aws(f"delete-repository --provider GITHUB --name {name}")
    for kind, name in (("service", "app"), ("environment", "network")):
        aws(f"delete-{kind}-template-version --template-name {name} --major-version 1 --minor-version 0")
        aws(f"delete-{kind}-template --name {name}")
        refused("ResourceNotFoundException", f"get-{kind}-template --name {name}")


if sys.argv[1] == "build":
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(build(), file, indent=1)
else:
    rest()
