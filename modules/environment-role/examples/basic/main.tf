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

# What no role of this environment may ever do, whatever its policies say.
resource "aws_iam_policy" "boundary" {
  name = "dev-boundary"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "*", Resource = "*" },
      { Effect = "Deny", Action = ["organizations:*", "account:*"], Resource = "*" },
    ]
  })
}

module "environment_role" {
  source = "../.."

  name                 = "hadron-dev"
  trusted_role_arns    = ["arn:aws:iam::123456789012:role/hadron-agent-task"]
  external_id          = "dev-5f0c91d2"
  permissions_boundary = aws_iam_policy.boundary.arn
  policies = {
    deploy = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = ["sqs:*", "ecs:*", "logs:*"], Resource = "*" }]
    })
  }
}

output "role_arn" {
  value = module.environment_role.arn
}
