# The internal load balancer, where none is given. TLS ends here; behind it only this security group reaches the tasks.
locals {
  balancer_count    = var.create_load_balancer ? 1 : 0
  balancer_group_id = var.create_load_balancer ? aws_security_group.load_balancer[0].id : var.load_balancer_security_group_id
  target_group_arn  = var.create_load_balancer ? aws_lb_target_group.this[0].arn : var.target_group_arn
}

resource "aws_security_group" "load_balancer" {
  count = local.balancer_count

  name        = "${var.name}-load-balancer"
  description = "Who may reach ${var.name}"
  vpc_id      = var.vpc_id
  tags        = var.tags

  ingress {
    description = "Clients, agents and Terraform, by TLS"
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = var.client_cidr_blocks
  }

  egress {
    description = "The tasks"
    protocol    = "tcp"
    from_port   = local.port
    to_port     = local.port
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_lb" "this" {
  count = local.balancer_count

  name               = var.name
  internal           = true
  load_balancer_type = "application"
  subnets            = var.load_balancer_subnet_ids == null ? var.subnet_ids : var.load_balancer_subnet_ids
  security_groups    = [aws_security_group.load_balancer[0].id]
  # A poll is held for up to 50 s.
  idle_timeout               = 120
  drop_invalid_header_fields = true
  tags                       = var.tags
}

resource "aws_lb_target_group" "this" {
  count = local.balancer_count

  name        = var.name
  vpc_id      = var.vpc_id
  target_type = "ip"
  protocol    = "HTTP"
  port        = local.port
  # As long as a poll may be held.
  deregistration_delay = 60
  tags                 = var.tags

  # Whether the server's record answers.
  health_check {
    path              = "/readyz"
    matcher           = "200"
    interval          = 10
    timeout           = 5
    healthy_threshold = 2
    # 50 s: the first start of a release may have the record to bring up to date.
    unhealthy_threshold = 5
  }
}

resource "aws_lb_listener" "https" {
  count = local.balancer_count

  load_balancer_arn = aws_lb.this[0].arn
  protocol          = "HTTPS"
  port              = 443
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[0].arn
  }

  lifecycle {
    precondition {
      condition     = var.certificate_arn != null
      error_message = "The internal load balancer needs certificate_arn: agents and clients speak TLS. Or set create_load_balancer = false."
    }
  }
}
