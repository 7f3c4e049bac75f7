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

module "state_bucket" {
  source = "../.."

  name       = "acme-terraform-state"
  state_keys = ["dev/terraform.tfstate", "dev/shop-api/terraform.tfstate"]
  tags       = { Team = "platform" }
}

output "state_bucket" {
  value = module.state_bucket.name
}
