# Source, build, and a deploy stage for each instance in the order of the spec: a new instance is a new stage.
data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  name   = var.service.name
  inputs = var.pipeline.inputs
}

# One repository for the service: what was tested in the first instance is what the last one gets.
resource "aws_ecr_repository" "this" {
  name = local.name

  image_scanning_configuration {
    scan_on_push = true
  }
}

# The blocks inside are deprecated since provider 4 and still work. Their successors don't exist in provider 3.
resource "aws_s3_bucket" "artifacts" {
  bucket        = "proton-${local.name}-artifacts-${data.aws_caller_identity.current.account_id}"
  force_destroy = true

  versioning {
    enabled = true
  }

  lifecycle_rule {
    id      = "old-artifacts"
    enabled = true

    expiration {
      days = 30
    }
  }
}

resource "aws_codepipeline" "this" {
  name     = "${local.name}-pipeline"
  role_arn = aws_iam_role.pipeline.arn

  artifact_store {
    type     = "S3"
    location = aws_s3_bucket.artifacts.bucket
  }

  lifecycle {
    precondition {
      condition     = var.service.repository_connection_arn != ""
      error_message = "A pipeline reads its source through a connection: create the service with a repository connection ARN."
    }
  }

  stage {
    name = "Source"

    action {
      name             = "Source"
      category         = "Source"
      owner            = "AWS"
      provider         = "CodeStarSourceConnection"
      version          = "1"
      output_artifacts = ["SourceOutput"]

      configuration = {
        ConnectionArn    = var.service.repository_connection_arn
        FullRepositoryId = local.inputs.source_repo
        BranchName       = local.inputs.source_branch
      }
    }
  }

  stage {
    name = "Build"

    action {
      name             = "Build"
      category         = "Build"
      owner            = "AWS"
      provider         = "CodeBuild"
      version          = "1"
      input_artifacts  = ["SourceOutput"]
      output_artifacts = ["BuildOutput"]

      configuration = {
        ProjectName = aws_codebuild_project.this.name
      }
    }
  }

  dynamic "stage" {
    for_each = var.service_instances
    iterator = instance

    content {
      name = "Deploy-${instance.value.name}"

      action {
        name            = "Deploy-${instance.value.name}"
        category        = "Deploy"
        owner           = "AWS"
        provider        = "ECS"
        version         = "1"
        input_artifacts = ["BuildOutput"]

        configuration = {
          # CodePipeline wants the name, the environment gives the ARN.
          ClusterName = element(split("/", instance.value.environment.outputs.ECSClusterArn), 1)
          ServiceName = try(instance.value.outputs.ServiceName, "${local.name}-${instance.value.name}")
          FileName    = "imagedefinitions.json"
        }
      }
    }
  }
}
