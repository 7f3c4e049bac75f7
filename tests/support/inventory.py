# Everything in the account that a template may have created, by kind and sorted; what AWS itself brings is left out.
import json

import boto3


def client(service):
    return boto3.client(service)


ec2, ecs, iam, elb = client("ec2"), client("ecs"), client("iam"), client("elbv2")
clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"], include=["SETTINGS"])["clusters"]
# A deleted cluster stays known for a while.
clusters = [cluster for cluster in clusters if cluster["status"] == "ACTIVE"]
vpcs = [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"] if not v["IsDefault"]]


def services():
    for name in [cluster["clusterName"] for cluster in clusters]:
        arns = ecs.list_services(cluster=name)["serviceArns"]
        for service in ecs.describe_services(cluster=name, services=arns)["services"] if arns else []:
            if service["status"] == "ACTIVE":
                yield "%s/%s x%d" % (name, service["serviceName"], service["desiredCount"])


def pipelines():
    pipeline = client("codepipeline")
    for summary in pipeline.list_pipelines()["pipelines"]:
        stages = pipeline.get_pipeline(name=summary["name"])["pipeline"]["stages"]
        yield summary["name"] + ": " + " ".join(stage["name"] for stage in stages)


def queues():
    sqs = client("sqs")
    for url in sqs.list_queues().get("QueueUrls", []):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        dead_letters = json.loads(attributes.get("RedrivePolicy", "{}")).get("deadLetterTargetArn", "")
        name = url.rsplit("/", 1)[1]
        yield name + (" -> " + dead_letters.rsplit(":", 1)[1] if dead_letters else "")


def log_groups():
    for group in client("logs").describe_log_groups()["logGroups"]:
        yield "%s %sd" % (group["logGroupName"], group.get("retentionInDays", "?"))


def roles():
    # An account has some service-linked roles that nobody made.
    return [r["RoleName"] for r in iam.list_roles()["Roles"] if not r["Path"].startswith("/aws-service-role/")]


def builds():
    # The provider deletes a project by its ARN, which moto ignores. A project whose role is gone counts as deleted.
    build, present = client("codebuild"), roles()
    names = build.list_projects()["projects"]
    for project in build.batch_get_projects(names=names)["projects"] if names else []:
        if project["serviceRole"].rsplit("/", 1)[1] in present:
            yield project["name"]


def container_insights():
    for cluster in clusters:
        for setting in cluster.get("settings", []):
            yield "%s %s" % (cluster["clusterName"], setting["value"])


def nat_gateways():
    for gateway in ec2.describe_nat_gateways()["NatGateways"]:
        if gateway["State"] not in ("deleted", "deleting"):
            yield gateway["NatGatewayId"]


found = {
    "vpcs": vpcs,
    "subnets": [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"] if s["VpcId"] in vpcs],
    "nat_gateways": nat_gateways(),
    "addresses": [a["PublicIp"] for a in ec2.describe_addresses()["Addresses"]],
    "clusters": [cluster["clusterName"] for cluster in clusters],
    "container_insights": container_insights(),
    "services": services(),
    "load_balancers": [b["LoadBalancerName"] for b in elb.describe_load_balancers()["LoadBalancers"]],
    "target_groups": [
        "%s %s" % (g["TargetGroupName"], g["HealthCheckPath"]) for g in elb.describe_target_groups()["TargetGroups"]
    ],
    "queues": queues(),
    "pipelines": pipelines(),
    "builds": builds(),
    "repositories": [r["repositoryName"] for r in client("ecr").describe_repositories()["repositories"]],
    "buckets": [b["Name"] for b in client("s3").list_buckets()["Buckets"]],
    "roles": roles(),
    "log_groups": log_groups(),
    "stacks": [
        s["StackName"]
        for s in client("cloudformation").list_stacks()["StackSummaries"]
        if s["StackStatus"] != "DELETE_COMPLETE"
    ],
}
print(json.dumps({kind: names for kind, things in found.items() if (names := sorted(things))}))
