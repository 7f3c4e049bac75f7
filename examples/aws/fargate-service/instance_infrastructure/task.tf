data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name      = "${var.service.name}-${var.service_instance.name}"
  inputs    = var.service_instance.inputs
  shared    = var.environment.outputs
  region    = data.aws_region.current.name
  registry  = "${data.aws_caller_identity.current.account_id}.dkr.ecr.${local.region}.amazonaws.com"
  component = try(var.service_instance.components.default.outputs, {})

  # What an attached component offers. Each lookup fails while there is none, or one of another kind.
  queue_url = try(local.component.QueueUrl, "")
  queue_arn = try(local.component.QueueArn, "")
}

data "aws_iam_policy_document" "assume_by_tasks" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# Components grant rights to this role by its name, so the name is part of what the template promises.
resource "aws_iam_role" "task" {
  name               = "${local.name}-task"
  assume_role_policy = data.aws_iam_policy_document.assume_by_tasks.json

  tags = { ProtonService = var.service.name }
}

data "aws_iam_policy_document" "queue" {
  count = local.queue_arn == "" ? 0 : 1

  statement {
    actions   = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    resources = [local.queue_arn]
  }
}

resource "aws_iam_role_policy" "queue" {
  count = length(data.aws_iam_policy_document.queue)

  name   = "queue"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.queue[count.index].json
}

resource "aws_ecs_task_definition" "this" {
  family                   = local.name
  cpu                      = local.inputs.task_cpu
  memory                   = local.inputs.task_memory
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  execution_role_arn       = local.shared.TaskExecutionRoleArn
  task_role_arn            = aws_iam_role.task.arn

  # The image is the pipeline's product. The repository belongs to the pipeline, since one build serves every instance.
  container_definitions = jsonencode([{
    name         = "app"
    image        = "${local.registry}/${var.service.name}:latest"
    cpu          = 0
    essential    = true
    environment  = local.queue_url == "" ? [] : [{ name = "JOBS_QUEUE_URL", value = local.queue_url }]
    mountPoints  = []
    volumesFrom  = []
    portMappings = [{ containerPort = local.inputs.container_port, hostPort = local.inputs.container_port, protocol = "tcp" }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = local.shared.SharedLogGroupName
        awslogs-region        = local.region
        awslogs-stream-prefix = "${var.service.name}/${var.service_instance.name}"
      }
    }
  }])
}
