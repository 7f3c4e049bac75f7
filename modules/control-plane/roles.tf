data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  iam     = "arn:${data.aws_partition.current.partition}:iam::aws:policy"

  # Of a secret with :JSON-KEY:: only the secret itself is a resource.
  given_secrets = compact([var.database_url_secret_arn, var.keys_secret_arn, var.master_key_secret_arn])
  secrets       = distinct([for arn in local.given_secrets : join(":", slice(split(":", arn), 0, length(regexall(":secretsmanager:", arn)) > 0 ? 7 : 6))])
  in_manager    = [for arn in local.secrets : arn if length(regexall(":secretsmanager:", arn)) > 0]
  in_parameters = [for arn in local.secrets : arn if length(regexall(":ssm:", arn)) > 0]

  # Only ECS itself, and only for this account's tasks.
  trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })

  execution_statements = concat(
    length(local.in_manager) == 0 ? [] : [{ Effect = "Allow", Action = ["secretsmanager:GetSecretValue"], Resource = local.in_manager }],
    length(local.in_parameters) == 0 ? [] : [{ Effect = "Allow", Action = ["ssm:GetParameters"], Resource = local.in_parameters }],
    length(var.secrets_kms_key_arns) == 0 ? [] : [{ Effect = "Allow", Action = ["kms:Decrypt"], Resource = var.secrets_kms_key_arns }],
  )

  task_statements = concat(
    [{ Effect = "Allow", Action = ["s3:ListBucket", "s3:GetBucketLocation"], Resource = [var.bucket_arn] }],
    [{ Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], Resource = ["${var.bucket_arn}/*"] }],
    var.bucket_kms_key_arn == null ? [] : [{ Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [var.bucket_kms_key_arn] }],
    var.master_kms_key_arn == null ? [] : [{ Effect = "Allow", Action = ["kms:Encrypt", "kms:Decrypt"], Resource = [var.master_kms_key_arn] }],
  )
}

# What ECS does for the task: pull the image, fetch the secrets, write the log.
resource "aws_iam_role" "execution" {
  name                 = "${var.name}-execution"
  description          = "Starts tasks of ${var.name}"
  assume_role_policy   = local.trust
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "${local.iam}/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role_policy" "execution" {
  name   = "secrets"
  role   = aws_iam_role.execution.name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.execution_statements })
}

# Who the service is: it has its bucket and its key, and takes no role.
resource "aws_iam_role" "task" {
  name                 = "${var.name}-task"
  description          = "The control plane ${var.name}"
  assume_role_policy   = local.trust
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "task" {
  name   = "work"
  role   = aws_iam_role.task.name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.task_statements })
}
