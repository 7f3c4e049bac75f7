# A site's overlay: Hadron lays it beside the rendered files, and Terraform merges it into the provider block that is
# there. This one sends every call to an AWS emulator (moto) on this machine, so that the shared templates need not know.
# The region stays in the environment (AWS_REGION): provider 3 wants it before Terraform has merged anything.
# Written for provider 3. From version 4 on, s3_force_path_style is s3_use_path_style, and load balancers answer to elbv2.
provider "aws" {
  access_key = "test"
  secret_key = "test"

  s3_force_path_style         = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true

  endpoints {
    cloudformation = "http://127.0.0.1:5000"
    cloudwatchlogs = "http://127.0.0.1:5000"
    codebuild      = "http://127.0.0.1:5000"
    codepipeline   = "http://127.0.0.1:5000"
    ec2            = "http://127.0.0.1:5000"
    ecr            = "http://127.0.0.1:5000"
    ecs            = "http://127.0.0.1:5000"
    elb            = "http://127.0.0.1:5000"
    iam            = "http://127.0.0.1:5000"
    s3             = "http://127.0.0.1:5000"
    sqs            = "http://127.0.0.1:5000"
    sts            = "http://127.0.0.1:5000"
  }
}
