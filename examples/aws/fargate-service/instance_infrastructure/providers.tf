# No region, no endpoints, no credentials: those belong to the site that deploys, and come from its environment and its
# overlay. default_tags needs version 3.38.
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 3.38"
    }
  }
}

provider "aws" {
  default_tags {
    tags = var.proton_tags
  }
}
