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

# GitHub: who opens a request may plan, and only what is merged may apply.
module "plan" {
  source = "../.."

  name              = "hadron-ci-plan"
  service           = "github"
  subjects          = ["repo:acme/infrastructure:pull_request"]
  policy_arns       = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
  state_bucket_arns = ["arn:aws:s3:::acme-terraform-state"]
}

module "apply" {
  source = "../.."

  name                 = "hadron-ci-apply"
  service              = "github"
  create_oidc_provider = false
  oidc_provider_arn    = module.plan.oidc_provider_arn
  subjects             = ["repo:acme/infrastructure:ref:refs/heads/main"]
  state_bucket_arns    = ["arn:aws:s3:::acme-terraform-state"]
  policies = {
    deploy = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = ["sqs:*", "ecs:*", "logs:*"], Resource = "*" }]
    })
  }
}

# GitLab, in the same account.
module "gitlab" {
  source = "../.."

  name     = "hadron-gitlab-apply"
  service  = "gitlab"
  subjects = ["project_path:acme/infrastructure:ref_type:branch:ref:main"]
}

output "roles" {
  value = {
    plan   = module.plan.arn
    apply  = module.apply.arn
    gitlab = module.gitlab.arn
  }
}
