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

variable "certificate_arn" {
  type = string
}

resource "aws_ecs_cluster" "this" {
  name = "hadron"
}

module "control_plane" {
  source = "../.."

  cluster_arn             = aws_ecs_cluster.this.arn
  vpc_id                  = var.vpc_id
  subnet_ids              = var.subnet_ids
  certificate_arn         = var.certificate_arn
  image                   = "123456789012.dkr.ecr.us-east-1.amazonaws.com/hadron:1.0.0"
  base_url                = "https://proton.example.com"
  database_url_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:hadron/database-AbCdEf"
  keys_secret_arn         = "arn:aws:secretsmanager:us-east-1:123456789012:secret:hadron/keys-AbCdEf"
  master_kms_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/5f0c91d2-0000-4000-8000-000000000000"
  bucket_arn              = "arn:aws:s3:::acme-hadron"

  policies = {
    prod = <<-E
      @id("developers-leave-prod-alone")
      forbid (principal in Hadron::Role::"developer", action in Proton::Action::"Write", resource)
      when { resource.environments.contains("prod") };
    E
  }

  tags = { Team = "platform" }
}

output "security_group_id" {
  value = module.control_plane.security_group_id
}

output "load_balancer_dns_name" {
  value = module.control_plane.load_balancer_dns_name
}
