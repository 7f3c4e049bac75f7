terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # Versioning, encryption and lifecycle stand in the bucket's own block. Releases 4.0 to 4.8 refuse them there; all
      # others take them, see README.md.
      version = ">= 3.39, != 4.0.0, != 4.1.0, != 4.2.0, != 4.3.0, != 4.4.0, != 4.5.0, != 4.6.0, != 4.7.0, != 4.8.0"
    }
  }
}
