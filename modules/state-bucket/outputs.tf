output "name" {
  description = "The bucket's name, for HADRON_STATE_BUCKET and the state_bucket of env_config.json."
  value       = aws_s3_bucket.this.id

  # Who writes a state writes it into a bucket that is closed already.
  depends_on = [aws_s3_bucket_public_access_block.this, aws_s3_bucket_policy.this]
}

output "arn" {
  description = "The bucket's ARN, for the state_bucket_arn of the modules agent and ci-role."
  value       = aws_s3_bucket.this.arn
}

output "region" {
  description = "The bucket's region, for HADRON_STATE_REGION."
  value       = aws_s3_bucket.this.region
}

output "kms_key_arn" {
  description = "The key that encrypts the states, or null: who reads or writes them needs kms:Decrypt and kms:GenerateDataKey."
  value       = var.kms_key_arn
}
