# moto doesn't delete the route tables of a CloudFormation stack, and then refuses to delete the stack's VPC.
import boto3

ec2 = boto3.client("ec2")
for table in ec2.describe_route_tables()["RouteTables"]:
    if any(association.get("Main") for association in table["Associations"]):
        continue
    for association in table["Associations"]:
        ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
    ec2.delete_route_table(RouteTableId=table["RouteTableId"])
print("{}")
