locals {
  # Load balancers and target groups have names of at most 32 characters. Long ones keep their beginning and stay unique.
  short_name = length(local.name) <= 32 ? local.name : "${substr(local.name, 0, 23)}-${substr(sha256(local.name), 0, 8)}"
}

resource "aws_security_group" "load_balancer" {
  name        = "${local.name}-load-balancer"
  description = "Who may reach ${local.name}: everybody, by HTTP"
  vpc_id      = local.shared.VpcId

  ingress {
    protocol    = "tcp"
    from_port   = 80
    to_port     = 80
    cidr_blocks = ["0.0.0.0/0"]
  }

  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_lb" "this" {
  name               = local.short_name
  load_balancer_type = "application"
  subnets            = split(",", local.shared.PublicSubnetIds)
  security_groups    = [aws_security_group.load_balancer.id]
}

resource "aws_lb_target_group" "this" {
  name        = local.short_name
  vpc_id      = local.shared.VpcId
  target_type = "ip"
  protocol    = "HTTP"
  port        = local.inputs.container_port

  health_check {
    path = local.inputs.health_check_path
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTP"
  port              = 80

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }
}
