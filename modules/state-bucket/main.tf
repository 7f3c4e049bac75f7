data "aws_partition" "current" {}

locals {
  # Known before the bucket is: its policy needs no second apply.
  arn = "arn:${data.aws_partition.current.partition}:s3:::${var.name}"
}

resource "aws_s3_bucket" "this" {
  bucket        = var.name
  force_destroy = var.force_destroy
  tags          = var.tags

  versioning {
    enabled = true
  }

  server_side_encryption_configuration {
    rule {
      # With a bucket key KMS is asked once in a while, not for each object.
      bucket_key_enabled = var.kms_key_arn != null

      apply_server_side_encryption_by_default {
        sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
        kms_master_key_id = var.kms_key_arn
      }
    }
  }

  lifecycle_rule {
    id                                     = "old-states"
    enabled                                = true
    abort_incomplete_multipart_upload_days = 7

    noncurrent_version_expiration {
      days = var.noncurrent_days
    }

    # What a lock that was released, or a state that was deleted, leaves behind once its versions are gone.
    expiration {
      expired_object_delete_marker = true
    }
  }

  # A lock is written and deleted with every run, and each leaves a version. Where two rules meet, S3 takes the shorter.
  dynamic "lifecycle_rule" {
    for_each = toset(var.state_keys)

    content {
      id      = "lock-${substr(sha256(lifecycle_rule.value), 0, 16)}"
      enabled = true
      prefix  = "${lifecycle_rule.value}.tflock"

      noncurrent_version_expiration {
        days = 1
      }
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RefusePlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.arn, "${local.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # S3 changes one of the two at a time.
  depends_on = [aws_s3_bucket_public_access_block.this]
}
