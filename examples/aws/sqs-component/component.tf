# A job queue with a dead-letter queue. Attached to a service instance it is named after that instance and grants the
# instance's task role its use. Detached, it belongs to the environment, and nobody is granted anything.
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 3.38"
    }
  }
}

provider "aws" {
  default_tags {
    tags = var.proton_tags
  }
}

data "aws_partition" "current" {}

locals {
  # A condition can't look at an attribute of what may be null, a failing try can.
  owner     = try("${var.service.name}-${var.service_instance.name}", "")
  name      = "${local.owner == "" ? var.environment.name : local.owner}-jobs"
  task_role = "arn:${data.aws_partition.current.partition}:iam::${var.environment.account_id}:role/${local.owner}-task"
}

resource "aws_sqs_queue" "dead_letter" {
  name                      = "${local.name}-dlq"
  message_retention_seconds = 1209600 # 14 days
}

resource "aws_sqs_queue" "this" {
  name                       = local.name
  visibility_timeout_seconds = 300
  message_retention_seconds  = 86400

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    maxReceiveCount     = 3
  })
}

data "aws_iam_policy_document" "use" {
  count = local.owner == "" ? 0 : 1

  statement {
    actions   = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.this.arn]

    principals {
      type        = "AWS"
      identifiers = [local.task_role]
    }
  }
}

resource "aws_sqs_queue_policy" "use" {
  count = length(data.aws_iam_policy_document.use)

  queue_url = aws_sqs_queue.this.id
  policy    = data.aws_iam_policy_document.use[count.index].json
}

output "QueueUrl" {
  value = aws_sqs_queue.this.id
}

output "QueueArn" {
  value = aws_sqs_queue.this.arn
}

output "DlqUrl" {
  value = aws_sqs_queue.dead_letter.id
}
