data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  iam     = "arn:${data.aws_partition.current.partition}:iam::aws:policy"

  # Of a secret with :JSON-KEY:: only the secret itself is a resource.
  secrets       = distinct([for arn in [var.access_key_id_secret_arn, var.secret_access_key_secret_arn] : join(":", slice(split(":", arn), 0, length(regexall(":secretsmanager:", arn)) > 0 ? 7 : 6))])
  in_manager    = [for arn in local.secrets : arn if length(regexall(":secretsmanager:", arn)) > 0]
  in_parameters = [for arn in local.secrets : arn if length(regexall(":ssm:", arn)) > 0]
  buckets       = compact([var.state_bucket_arn, var.bucket_arn])

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

  # Each role only with its own external id: an environment's id opens no other environment.
  role_statements = [for it in values(var.environments) : {
    Effect    = "Allow"
    Action    = ["sts:AssumeRole"]
    Resource  = [it.role_arn]
    Condition = { StringEquals = { "sts:ExternalId" = it.external_id } }
  }]

  # A run that is at work keeps its task from being scaled in.
  protection_statements = [{
    Effect   = "Allow"
    Action   = ["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"]
    Resource = ["${replace(var.cluster_arn, ":cluster/", ":task/")}/*"]
  }]

  bucket_statements = length(local.buckets) == 0 ? [] : concat(
    [{ Effect = "Allow", Action = ["s3:ListBucket", "s3:GetBucketLocation"], Resource = local.buckets }],
    [{ Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"], Resource = [for arn in local.buckets : "${arn}/*"] }],
    # Deleting is for locks alone, never for a state.
    var.state_bucket_arn == null ? [] : [{ Effect = "Allow", Action = ["s3:DeleteObject"], Resource = ["${var.state_bucket_arn}/*.tflock", "${var.state_bucket_arn}/.hadron-probe/*"] }],
    length(var.buckets_kms_key_arns) == 0 ? [] : [{ Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.buckets_kms_key_arns }],
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

# Who the agent is: it may take the environments' roles, and creates nothing by itself.
resource "aws_iam_role" "task" {
  name                 = "${var.name}-task"
  description          = "The agent ${var.name}: takes the roles of its environments"
  assume_role_policy   = local.trust
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "task" {
  name = "work"
  role = aws_iam_role.task.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.protection_statements, local.role_statements, local.bucket_statements)
  })
}
