# What the examples are given: the account's own network, and a certificate.
import json

import boto3

ec2 = boto3.client("ec2")
subnets = ec2.describe_subnets()["Subnets"][:2]
certificate = boto3.client("acm").request_certificate(DomainName="proton.example.com")["CertificateArn"]
print(json.dumps({
    "TF_VAR_vpc_id": subnets[0]["VpcId"],
    "TF_VAR_subnet_ids": json.dumps([subnet["SubnetId"] for subnet in subnets]),
    "TF_VAR_certificate_arn": certificate,
}))
