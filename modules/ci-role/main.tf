locals {
  hosts    = { github = "token.actions.githubusercontent.com", gitlab = "gitlab.com" }
  host     = var.host == null ? local.hosts[var.service] : var.host
  provider = var.create_oidc_provider ? aws_iam_openid_connect_provider.this[0].arn : var.oidc_provider_arn

  state_objects = [for arn in var.state_bucket_arns : "${arn}/*"]
  state_locks   = flatten([for arn in var.state_bucket_arns : ["${arn}/*.tflock", "${arn}/.hadron-probe/*"]])

  state_statements = length(var.state_bucket_arns) == 0 ? [] : [
    { Effect = "Allow", Action = ["s3:ListBucket", "s3:GetBucketLocation"], Resource = var.state_bucket_arns },
    { Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"], Resource = local.state_objects },
    # Deleting is for locks alone: no pipeline has a reason to delete a state.
    { Effect = "Allow", Action = ["s3:DeleteObject"], Resource = local.state_locks },
  ]
  key_statements = length(var.state_kms_key_arns) == 0 ? [] : [
    { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.state_kms_key_arns },
  ]
}

resource "aws_iam_openid_connect_provider" "this" {
  count = var.create_oidc_provider ? 1 : 0

  url             = "https://${local.host}"
  client_id_list  = [var.audience]
  thumbprint_list = var.thumbprints
  tags            = var.tags
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "Taken by pipelines of ${local.host}"
  permissions_boundary = var.permissions_boundary
  max_session_duration = var.max_session_duration
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = local.provider }
      Condition = {
        StringEquals = { "${local.host}:aud" = var.audience }
        StringLike   = { "${local.host}:sub" = sort(var.subjects) }
      }
    }]
  })

  lifecycle {
    precondition {
      condition     = var.create_oidc_provider == (var.oidc_provider_arn == null)
      error_message = "Either create_oidc_provider makes the OIDC provider, or it is false and oidc_provider_arn names one."
    }
  }
}

resource "aws_iam_role_policy_attachment" "this" {
  # By number: the ARN of a policy that is made in the same apply isn't known yet.
  count = length(var.policy_arns)

  role       = aws_iam_role.this.name
  policy_arn = var.policy_arns[count.index]
}

resource "aws_iam_role_policy" "deploy" {
  for_each = var.policies

  name   = each.key
  role   = aws_iam_role.this.name
  policy = each.value
}

resource "aws_iam_role_policy" "state" {
  count = length(var.state_bucket_arns) == 0 ? 0 : 1

  name   = "state"
  role   = aws_iam_role.this.name
  policy = jsonencode({ Version = "2012-10-17", Statement = concat(local.state_statements, local.key_statements) })
}
