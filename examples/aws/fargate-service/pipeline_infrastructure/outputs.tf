output "PipelineArn" {
  value = aws_codepipeline.this.arn
}

output "RepositoryUrl" {
  value = aws_ecr_repository.this.repository_url
}

output "ArtifactBucket" {
  value = aws_s3_bucket.artifacts.bucket
}

output "Stages" {
  value = aws_codepipeline.this.stage[*].name
}
