terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 3.39"
    }
  }
}

provider "aws" {
  region = "us-east-1"
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

resource "aws_ecs_cluster" "this" {
  name = "hadron"
}

module "agent" {
  source = "../.."

  cluster_arn                  = aws_ecs_cluster.this.arn
  vpc_id                       = var.vpc_id
  subnet_ids                   = var.subnet_ids
  image                        = "123456789012.dkr.ecr.us-east-1.amazonaws.com/hadron:1.0.0"
  endpoint                     = "https://proton.example.com"
  access_key_id_secret_arn     = "arn:aws:secretsmanager:us-east-1:123456789012:secret:hadron/agent-AbCdEf:id::"
  secret_access_key_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:hadron/agent-AbCdEf:secret::"
  bucket_arn                   = "arn:aws:s3:::acme-hadron"

  environments = {
    dev  = { role_arn = "arn:aws:iam::123456789012:role/hadron-dev", external_id = "dev-5f0c91d2" }
    prod = { role_arn = "arn:aws:iam::123456789012:role/hadron-prod", external_id = "prod-77aa03e1", region = "eu-west-1", gates = ["approval"] }
  }

  tags = { Team = "platform" }
}

output "task_role_arn" {
  value = module.agent.task_role_arn
}

output "task_definition_arn" {
  value = module.agent.task_definition_arn
}
