resource "aws_security_group" "service" {
  name        = "${local.name}-service"
  description = "What ${local.name} may be reached by: its load balancer"
  vpc_id      = local.shared.VpcId

  ingress {
    protocol        = "tcp"
    from_port       = local.inputs.container_port
    to_port         = local.inputs.container_port
    security_groups = [aws_security_group.load_balancer.id]
  }

  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_ecs_service" "this" {
  name            = local.name
  cluster         = local.shared.ECSClusterArn
  task_definition = aws_ecs_task_definition.this.arn
  desired_count   = local.inputs.desired_count
  launch_type     = "FARGATE"

  network_configuration {
    subnets          = split(",", local.shared.PrivateSubnetIds)
    security_groups  = [aws_security_group.service.id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.this.arn
    container_name   = "app"
    container_port   = local.inputs.container_port
  }

  # ECS refuses a target group that no load balancer uses yet.
  depends_on = [aws_lb_listener.http]
}
