variable "name" {
  description = "The service's name, and the beginning of its roles', log group's and load balancer's."
  type        = string
  default     = "hadron"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,23}$", var.name))
    error_message = "The name must have 1 to 24 letters, digits and hyphens, a letter first: load balancers take no more."
  }
}

variable "cluster_arn" {
  description = "The ECS cluster."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:ecs:[^:]+:[0-9]{12}:cluster/[A-Za-z0-9_-]+$", var.cluster_arn))
    error_message = "The cluster_arn must be a cluster's ARN, arn:aws:ecs:REGION:ACCOUNT:cluster/NAME."
  }
}

variable "vpc_id" {
  description = "The VPC of the subnets."
  type        = string

  validation {
    condition     = can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "The vpc_id must be a VPC's id, vpc-…."
  }
}

variable "subnet_ids" {
  description = "Subnets of the tasks: private ones with a way to PostgreSQL and to AWS."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0 && alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
    error_message = "The subnet_ids must be subnets' ids, at least one."
  }
}

variable "image" {
  description = "The image, built from Hadron's Dockerfile (its target agent, which has the shell that lays the settings), best by digest: ACCOUNT.dkr.ecr.REGION.amazonaws.com/hadron@sha256:…."
  type        = string

  validation {
    condition     = can(regex("^[^@]+(:[^/@]+|@sha256:[0-9a-f]{64})$", var.image)) && !can(regex(":latest$", var.image))
    error_message = "The image must have a tag other than latest, or a digest: else nobody knows what a server that restarts will be."
  }
}

variable "base_url" {
  description = "How clients, agents and Terraform reach the service: https:// and the name of the load balancer's certificate."
  type        = string

  validation {
    condition     = can(regex("^https://[^/]+$", var.base_url))
    error_message = "The base_url must be https://HOST or https://HOST:PORT."
  }
}

variable "database_url_secret_arn" {
  description = "The record's address, postgres://USER:PASSWORD@HOST:5432/hadron?sslmode=verify-full: ARN of a Secrets Manager secret, with :JSON-KEY:: behind it for one of several values, or of an SSM parameter."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:(secretsmanager:[^:]+:[0-9]{12}:secret:[^:]+(:[^:]+::)?|ssm:[^:]+:[0-9]{12}:parameter/.+)$", var.database_url_secret_arn))
    error_message = "The database_url_secret_arn must be the ARN of a secret (perhaps with :JSON-KEY::) or of an SSM parameter."
  }
}

variable "keys_secret_arn" {
  description = "The first access keys, the keys.json of a data folder, in the same forms. Without them each task that starts would make an admin key and print it into the log."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:(secretsmanager:[^:]+:[0-9]{12}:secret:[^:]+(:[^:]+::)?|ssm:[^:]+:[0-9]{12}:parameter/.+)$", var.keys_secret_arn))
    error_message = "The keys_secret_arn must be the ARN of a secret (perhaps with :JSON-KEY::) or of an SSM parameter."
  }
}

variable "master_kms_key_arn" {
  description = "The KMS key that the record is sealed under. Either this or master_key_secret_arn."
  type        = string
  default     = null

  validation {
    condition     = var.master_kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.master_kms_key_arn))
    error_message = "The master_kms_key_arn must be a key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "master_key_secret_arn" {
  description = "The master key itself, 32 bytes in base64 (openssl rand -base64 32), in the forms of the other secrets."
  type        = string
  default     = null

  validation {
    condition     = var.master_key_secret_arn == null || can(regex("^arn:[^:]+:(secretsmanager:[^:]+:[0-9]{12}:secret:[^:]+(:[^:]+::)?|ssm:[^:]+:[0-9]{12}:parameter/.+)$", var.master_key_secret_arn))
    error_message = "The master_key_secret_arn must be the ARN of a secret (perhaps with :JSON-KEY::) or of an SSM parameter."
  }
}

variable "secrets_kms_key_arns" {
  description = "Customer managed KMS keys that encrypt these secrets."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.secrets_kms_key_arns : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", arn))])
    error_message = "The secrets_kms_key_arns must be keys' ARNs, arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "bucket_arn" {
  description = "The bucket of bundles, inputs and run records, in the cluster's region."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:s3:::[^/]+$", var.bucket_arn))
    error_message = "The bucket_arn must be a bucket's ARN."
  }
}

variable "bucket_kms_key_arn" {
  description = "That bucket's KMS key, if it has one."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.bucket_kms_key_arn))
    error_message = "The bucket_kms_key_arn must be a key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "create_load_balancer" {
  description = "Whether an internal load balancer is made here; else target_group_arn names one's target group."
  type        = bool
  default     = true
}

variable "target_group_arn" {
  description = "A target group of a load balancer that is there: type ip, protocol HTTP, health check on /readyz."
  type        = string
  default     = null

  validation {
    condition     = var.target_group_arn == null || can(regex("^arn:[^:]+:elasticloadbalancing:[^:]+:[0-9]{12}:targetgroup/", var.target_group_arn))
    error_message = "The target_group_arn must be a target group's ARN."
  }
}

variable "load_balancer_security_group_id" {
  description = "The security group of that load balancer, the one that may reach the tasks."
  type        = string
  default     = null

  validation {
    condition     = var.load_balancer_security_group_id == null || can(regex("^sg-[0-9a-f]+$", var.load_balancer_security_group_id))
    error_message = "The load_balancer_security_group_id must be a security group's id, sg-…."
  }
}

variable "certificate_arn" {
  description = "The certificate (ACM) of the internal load balancer."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:[^:]+:(acm:[^:]+:[0-9]{12}:certificate/|iam::[0-9]{12}:server-certificate/)", var.certificate_arn))
    error_message = "The certificate_arn must be a certificate's ARN."
  }
}

variable "load_balancer_subnet_ids" {
  description = "Subnets of the internal load balancer, in two zones or more; null means those of the tasks."
  type        = list(string)
  default     = null

  validation {
    condition     = var.load_balancer_subnet_ids == null || (length(coalesce(var.load_balancer_subnet_ids, [])) >= 2 && alltrue([for id in coalesce(var.load_balancer_subnet_ids, []) : can(regex("^subnet-[0-9a-f]+$", id))]))
    error_message = "The load_balancer_subnet_ids must be two subnets' ids or more, in different zones."
  }
}

variable "client_cidr_blocks" {
  description = "Who may reach the internal load balancer."
  type        = list(string)
  default     = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]

  validation {
    condition     = alltrue([for block in var.client_cidr_blocks : can(cidrnetmask(block))])
    error_message = "The client_cidr_blocks must be blocks of IPv4 addresses: 10.0.0.0/8."
  }
}

variable "account" {
  description = "The account that Proton's ARNs name; null means the one that this is applied in."
  type        = string
  default     = null

  validation {
    condition     = var.account == null || can(regex("^[0-9]{12}$", var.account))
    error_message = "The account must have twelve digits."
  }
}

variable "state_backend" {
  description = "Who keeps Terraform's states: hadron (the service, in its record) or s3 (the agents, in a bucket)."
  type        = string
  default     = "hadron"

  validation {
    condition     = contains(["hadron", "s3"], var.state_backend)
    error_message = "The state_backend must be hadron or s3."
  }
}

variable "rolling_upgrade" {
  description = "Whether new tasks start before old ones stop. False where a release's notes say that servers of two releases don't go together; nobody is served meanwhile, and agents wait."
  type        = bool
  default     = true
}

variable "health_check_command" {
  description = "What ECS runs in the container to see whether it works, [\"CMD\", \"/usr/local/bin/hadron\", \"health\", \"server\"] for instance; [] leaves it to the load balancer, which asks the same."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.health_check_command) == 0 || contains(["CMD", "CMD-SHELL"], try(var.health_check_command[0], ""))
    error_message = "The health_check_command must begin with CMD or CMD-SHELL."
  }
}

variable "policies" {
  description = "The site's own Cedar policies: the text of each by a name without .cedar."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.policies) : can(regex("^[A-Za-z0-9_-]+$", name))])
    error_message = "The policies' names must have letters, digits, hyphens and underscores alone."
  }
}

variable "desired_count" {
  description = "How many tasks."
  type        = number
  default     = 2

  validation {
    condition     = var.desired_count >= 0 && floor(var.desired_count) == var.desired_count
    error_message = "The desired_count must be a whole number from 0 on."
  }
}

variable "cpu" {
  description = "The task's CPU units."
  type        = number
  default     = 512

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "The cpu must be 256, 512, 1024, 2048, 4096, 8192 or 16384: Fargate has no others."
  }
}

variable "memory" {
  description = "The task's memory in MiB."
  type        = number
  default     = 1024

  validation {
    condition     = var.memory >= 512 && var.memory <= 122880
    error_message = "The memory must be from 512 to 122880 MiB."
  }
}

variable "ca_bundle" {
  description = "PEM certificates that the service trusts besides the system's: RDS's authority, for instance."
  type        = string
  default     = null

  validation {
    condition     = var.ca_bundle == null || can(regex("-----BEGIN CERTIFICATE-----", var.ca_bundle))
    error_message = "The ca_bundle must be certificates as PEM, the text and not a file's name."
  }
}

variable "settings_toml" {
  description = "More of hadron.toml, for what has no variable here: events, limits."
  type        = string
  default     = ""

  validation {
    condition     = !can(regex("(?m)^\\s*\\[\\s*environments", var.settings_toml))
    error_message = "The settings_toml must not have [environments…]: they are an agent's."
  }
}

variable "environment" {
  description = "More environment variables, such as HTTPS_PROXY or HADRON_LOG."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.environment), ["HADRON_ACCESS_KEY_ID", "HADRON_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])) == 0
    error_message = "The environment must hold no keys: everybody who may read the task definition would have them."
  }
}

variable "user" {
  description = "The image's user and group by number, whom the data folder is given to."
  type        = string
  default     = "65532:65532"

  validation {
    condition     = can(regex("^[1-9][0-9]*:[1-9][0-9]*$", var.user))
    error_message = "The user must be UID:GID by number, and not root."
  }
}

variable "assign_public_ip" {
  description = "Whether tasks get a public address: for public subnets without a NAT gateway."
  type        = bool
  default     = false
}

variable "permissions_boundary" {
  description = "The policy that bounds both roles."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[^:]+:iam::([0-9]{12}|aws):policy/", var.permissions_boundary))
    error_message = "The permissions_boundary must be a policy's ARN."
  }
}

variable "log_retention_days" {
  description = "How long the service's log is kept."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653], var.log_retention_days)
    error_message = "The log_retention_days must be one of CloudWatch's: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827 or 3653."
  }
}

variable "tags" {
  description = "Tags of everything here."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.tags) : !can(regex("^aws:", name))])
    error_message = "The tags must not begin with aws:, which AWS keeps for itself."
  }
}
