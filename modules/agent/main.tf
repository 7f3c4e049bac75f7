locals {
  region = split(":", var.cluster_arn)[3]

  state_variables = var.state_bucket_arn == null ? { HADRON_STATE = "hadron" } : {
    HADRON_STATE        = "s3"
    HADRON_STATE_BUCKET = split(":::", var.state_bucket_arn)[1]
    HADRON_STATE_REGION = var.state_bucket_region == null ? local.region : var.state_bucket_region
  }

  variables = merge(
    {
      HADRON_ENDPOINT    = var.endpoint
      HADRON_DATA        = local.data_folder
      HADRON_CONCURRENCY = tostring(var.concurrency)
      HADRON_LOG_FORMAT  = "json"
      # Said outright: what the host leaves can't be read from inside.
      HADRON_SHUTDOWN = "drain"
      HADRON_GRACE    = tostring(var.stop_timeout)
      HADRON_REGION   = local.region
      AWS_REGION      = local.region
    },
    local.state_variables,
    local.bound ? { HADRON_ENVIRONMENTS = join(",", keys(var.environments)) } : {},
    var.ca_bundle == null ? {} : { HADRON_CA_BUNDLE = "${local.settings_folder}/ca.pem" },
    var.environment,
  )

  volumes = { settings = local.settings_folder, data = local.data_folder, tmp = "/tmp" }

  log = {
    logDriver = "awslogs"
    options = {
      awslogs-group         = aws_cloudwatch_log_group.this.name
      awslogs-region        = local.region
      awslogs-stream-prefix = "agent"
    }
  }

  # Far apart, and patient: a machine that is busy with an apply answers late, and ECS ends a task that fails.
  health_check = { healthCheck = { command = var.health_check_command, interval = 60, timeout = 30, retries = 5, startPeriod = 60 } }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/hadron/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

# Nothing reaches the agent: it asks, and nobody asks it.
resource "aws_security_group" "this" {
  name        = var.name
  description = "Tasks of ${var.name}: no way in"
  vpc_id      = var.vpc_id
  tags        = var.tags

  egress {
    description = "The endpoint, AWS, and whatever providers talk to"
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  tags                     = var.tags

  # Of the task's own disk (20 GiB), gone with the task.
  dynamic "volume" {
    for_each = local.volumes

    content {
      name = volume.key
    }
  }

  container_definitions = jsonencode([
    {
      name             = "settings"
      image            = var.image
      essential        = false
      user             = "0"
      entryPoint       = ["/bin/sh", "-ec"]
      command          = [local.lay_files]
      mountPoints      = [for name, path in local.volumes : { sourceVolume = name, containerPath = path, readOnly = false }]
      logConfiguration = local.log
      # What ECS fills in by itself stands here, or every plan would show it as a change.
      cpu          = 0
      environment  = []
      portMappings = []
      volumesFrom  = []
    },
    merge({
      name      = "agent"
      image     = var.image
      essential = true
      user      = var.user
      command   = ["agent", "--config", "${local.settings_folder}/hadron.toml"]
      dependsOn = [{ containerName = "settings", condition = "SUCCESS" }]
      # What is written to is mounted.
      readonlyRootFilesystem = true
      stopTimeout            = var.stop_timeout
      mountPoints            = [for name, path in local.volumes : { sourceVolume = name, containerPath = path, readOnly = name == "settings" }]
      environment            = [for name in sort(keys(local.variables)) : { name = name, value = local.variables[name] }]
      secrets = [
        { name = "HADRON_ACCESS_KEY_ID", valueFrom = var.access_key_id_secret_arn },
        { name = "HADRON_SECRET_ACCESS_KEY", valueFrom = var.secret_access_key_secret_arn },
      ]
      logConfiguration = local.log
      cpu              = 0
      portMappings     = []
      volumesFrom      = []
    }, { for name, check in local.health_check : name => check if length(var.health_check_command) > 0 }),
  ])

  lifecycle {
    precondition {
      condition     = var.memory >= 2 * var.cpu && var.memory <= 8 * var.cpu
      error_message = "Fargate wants from 2 to 8 MiB of memory for each CPU unit: ${var.memory} MiB don't go with ${var.cpu}."
    }
  }
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.this.arn
  desired_count   = var.desired_count
  launch_type     = "FARGATE"
  # 1.4.0 or later has the task metadata and the protection that the agent uses.
  platform_version = "1.4.0"
  propagate_tags   = "SERVICE"
  tags             = var.tags

  # New tasks come first. Old ones that have a run at work are protected, and stay until it is done.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = var.assign_public_ip
  }

  # A task that starts before its roles may do their work fails, and counts against the circuit breaker.
  depends_on = [aws_iam_role_policy.execution, aws_iam_role_policy_attachment.execution, aws_iam_role_policy.task]
}
