locals {
  region = split(":", var.cluster_arn)[3]
  port   = 9440

  variables = merge(
    {
      HADRON_LISTEN   = "0.0.0.0:${local.port}"
      HADRON_BASE_URL = var.base_url
      # TLS ends at the load balancer, and nothing else reaches the port.
      HADRON_INSECURE_HTTP     = "true"
      HADRON_DATA              = local.data_folder
      HADRON_ACCOUNT           = var.account == null ? local.account : var.account
      HADRON_REGION            = local.region
      HADRON_BUCKET            = "s3://${split(":::", var.bucket_arn)[1]}"
      HADRON_STATE             = var.state_backend
      HADRON_LOG_FORMAT        = "json"
      HADRON_MASTER_KEY_SOURCE = var.master_kms_key_arn == null ? "env:MASTER_KEY" : "kms:${var.master_kms_key_arn}"
      AWS_REGION               = local.region
    },
    var.ca_bundle == null ? {} : { HADRON_CA_BUNDLE = "${local.settings_folder}/ca.pem" },
    length(var.policies) == 0 ? {} : { HADRON_POLICIES = "${local.settings_folder}/policies" },
    var.environment,
  )

  given = { HADRON_DATABASE = var.database_url_secret_arn, HADRON_KEYS = var.keys_secret_arn, MASTER_KEY = var.master_key_secret_arn }

  volumes = { settings = local.settings_folder, data = local.data_folder, tmp = "/tmp" }

  log = {
    logDriver = "awslogs"
    options = {
      awslogs-group         = aws_cloudwatch_log_group.this.name
      awslogs-region        = local.region
      awslogs-stream-prefix = "control-plane"
    }
  }

  server = {
    name      = "hadron"
    image     = var.image
    essential = true
    user      = var.user
    command   = ["serve", "--config", "${local.settings_folder}/hadron.toml"]
    dependsOn = [{ containerName = "settings", condition = "SUCCESS" }]
    # What is written to is mounted.
    readonlyRootFilesystem = true
    # Requests under way are answered, polls end.
    stopTimeout      = 30
    portMappings     = [{ containerPort = local.port, hostPort = local.port, protocol = "tcp" }]
    mountPoints      = [for name, path in local.volumes : { sourceVolume = name, containerPath = path, readOnly = name == "settings" }]
    environment      = [for name in sort(keys(local.variables)) : { name = name, value = local.variables[name] }]
    secrets          = [for name, arn in local.given : { name = name, valueFrom = arn } if arn != null]
    logConfiguration = local.log
    cpu              = 0
    volumesFrom      = []
  }

  health_check = { healthCheck = { command = var.health_check_command, interval = 30, timeout = 5, retries = 3, startPeriod = 60 } }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/hadron/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_security_group" "this" {
  name        = var.name
  description = "Tasks of ${var.name}: reached by their load balancer alone"
  vpc_id      = var.vpc_id
  tags        = var.tags

  ingress {
    description     = "The load balancer"
    protocol        = "tcp"
    from_port       = local.port
    to_port         = local.port
    security_groups = [local.balancer_group_id]
  }

  egress {
    description = "PostgreSQL, S3, KMS, and whoever is told of events"
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }

  lifecycle {
    precondition {
      condition     = var.create_load_balancer == (var.target_group_arn == null) && var.create_load_balancer == (var.load_balancer_security_group_id == null)
      error_message = "Either create_load_balancer makes the load balancer, or it is false and both target_group_arn and load_balancer_security_group_id name one."
    }
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

  # Of the task's own disk, gone with the task: whatever counts is in PostgreSQL and in the bucket.
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
    merge(local.server, { for name, check in local.health_check : name => check if length(var.health_check_command) > 0 }),
  ])

  lifecycle {
    precondition {
      condition     = var.memory >= 2 * var.cpu && var.memory <= 8 * var.cpu
      error_message = "Fargate wants from 2 to 8 MiB of memory for each CPU unit: ${var.memory} MiB don't go with ${var.cpu}."
    }

    precondition {
      condition     = (var.master_kms_key_arn == null) != (var.master_key_secret_arn == null)
      error_message = "Give one of master_kms_key_arn and master_key_secret_arn: the record is sealed under one master key."
    }
  }
}

resource "aws_ecs_service" "this" {
  name             = var.name
  cluster          = var.cluster_arn
  task_definition  = aws_ecs_task_definition.this.arn
  desired_count    = var.desired_count
  launch_type      = "FARGATE"
  platform_version = "1.4.0"
  propagate_tags   = "SERVICE"
  tags             = var.tags

  deployment_minimum_healthy_percent = var.rolling_upgrade ? 100 : 0
  deployment_maximum_percent         = var.rolling_upgrade ? 200 : 100

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = var.assign_public_ip
  }

  load_balancer {
    target_group_arn = local.target_group_arn
    container_name   = "hadron"
    container_port   = local.port
  }

  # ECS refuses a target group that no load balancer uses yet; a task that starts before its roles may do their work fails.
  depends_on = [
    aws_lb_listener.https, aws_iam_role_policy.execution, aws_iam_role_policy_attachment.execution, aws_iam_role_policy.task,
  ]
}
