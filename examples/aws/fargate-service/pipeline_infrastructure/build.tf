resource "aws_codebuild_project" "this" {
  name         = "${local.name}-build"
  service_role = aws_iam_role.build.arn

  # CodePipeline hands over source and artifacts itself and ignores both locations. They tell people where to look.
  source {
    type      = "CODEPIPELINE"
    location  = "https://github.com/${local.inputs.source_repo}"
    buildspec = local.inputs.buildspec_path
  }

  artifacts {
    type     = "CODEPIPELINE"
    location = aws_s3_bucket.artifacts.bucket
  }

  environment {
    type            = "LINUX_CONTAINER"
    compute_type    = "BUILD_GENERAL1_SMALL"
    image           = "aws/codebuild/standard:7.0"
    privileged_mode = true # Docker builds need it.

    environment_variable {
      name  = "SERVICE_NAME"
      value = local.name
    }

    environment_variable {
      name  = "AWS_ACCOUNT_ID"
      value = data.aws_caller_identity.current.account_id
    }

    environment_variable {
      name  = "IMAGE_REPO_NAME"
      value = aws_ecr_repository.this.name
    }
  }
}
