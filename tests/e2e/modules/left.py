# Everything in the account that one of modules/ may have made, by kind; what AWS itself brings is left out.
import json

import boto3

ec2, ecs, iam, elb = (boto3.client(name) for name in ("ec2", "ecs", "iam", "elbv2"))
clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
found = {
    "buckets": [b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]],
    "roles": [r["RoleName"] for r in iam.list_roles()["Roles"] if not r["Path"].startswith("/aws-service-role/")],
    "policies": [p["PolicyName"] for p in iam.list_policies(Scope="Local")["Policies"]],
    "oidc_providers": [p["Arn"] for p in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]],
    "log_groups": [g["logGroupName"] for g in boto3.client("logs").describe_log_groups()["logGroups"]],
    "clusters": [c["clusterName"] for c in clusters if c["status"] == "ACTIVE"],
    "task_definitions": ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"],
    "security_groups": [g["GroupName"] for g in ec2.describe_security_groups()["SecurityGroups"] if g["GroupName"] != "default"],
    "load_balancers": [b["LoadBalancerName"] for b in elb.describe_load_balancers()["LoadBalancers"]],
    "target_groups": [g["TargetGroupName"] for g in elb.describe_target_groups()["TargetGroups"]],
}
print(json.dumps({kind: names for kind, names in found.items() if names}))
