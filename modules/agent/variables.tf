variable "name" {
  description = "The service's name, and the beginning of its roles' and log group's."
  type        = string
  default     = "hadron-agent"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_-]{0,39}$", var.name))
    error_message = "The name must have 1 to 40 letters, digits, hyphens and underscores, a letter first."
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
  description = "Subnets of the tasks: private ones with a way out to the endpoint, to AWS and to Terraform's registry or a mirror."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0 && alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
    error_message = "The subnet_ids must be subnets' ids, at least one."
  }
}

variable "image" {
  description = "The image, built from Hadron's Dockerfile with Terraform, best by digest: ACCOUNT.dkr.ecr.REGION.amazonaws.com/hadron@sha256:…."
  type        = string

  validation {
    condition     = can(regex("^[^@]+(:[^/@]+|@sha256:[0-9a-f]{64})$", var.image)) && !can(regex(":latest$", var.image))
    error_message = "The image must have a tag other than latest, or a digest: else nobody knows what an agent that restarts will be."
  }
}

variable "endpoint" {
  description = "Where Proton answers: the endpoint of the module control-plane."
  type        = string

  validation {
    condition     = can(regex("^https://[^/]+$", var.endpoint))
    error_message = "The endpoint must be https://HOST or https://HOST:PORT."
  }
}

variable "access_key_id_secret_arn" {
  description = "The id of `hadron key create NAME --role agent`: ARN of a Secrets Manager secret, with :JSON-KEY:: behind it for one of several values, or of an SSM parameter."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:(secretsmanager:[^:]+:[0-9]{12}:secret:[^:]+(:[^:]+::)?|ssm:[^:]+:[0-9]{12}:parameter/.+)$", var.access_key_id_secret_arn))
    error_message = "The access_key_id_secret_arn must be the ARN of a secret (perhaps with :JSON-KEY::) or of an SSM parameter."
  }
}

variable "secret_access_key_secret_arn" {
  description = "The secret of that key, in the same forms."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:(secretsmanager:[^:]+:[0-9]{12}:secret:[^:]+(:[^:]+::)?|ssm:[^:]+:[0-9]{12}:parameter/.+)$", var.secret_access_key_secret_arn))
    error_message = "The secret_access_key_secret_arn must be the ARN of a secret (perhaps with :JSON-KEY::) or of an SSM parameter."
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

variable "environments" {
  description = "The environments that these agents work for, with the role that Terraform takes in each. `*` stands for every other; without it the agents are bound to the ones named. Gates: [\"approval\"] or []."
  type = map(object({
    role_arn    = string
    external_id = string
    region      = optional(string)
    gates       = optional(list(string))
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.environments) : name == "*" || can(regex("^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$", name))])
    error_message = "The environments must be named as in Proton, or *."
  }

  validation {
    condition     = alltrue([for it in values(var.environments) : can(regex("^arn:[^:]+:iam::[0-9]{12}:role/[!-~]+$", it.role_arn)) && can(regex("^[A-Za-z0-9_+=,.@:/-]{8,}$", it.external_id))])
    error_message = "The environments must have a role's ARN each, and an external_id of at least 8 letters, digits and _ + = , . @ : / -."
  }

  validation {
    condition     = alltrue([for it in values(var.environments) : it.region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", it.region))])
    error_message = "The environments' region must be a region's name: eu-west-1."
  }

  validation {
    condition     = alltrue([for it in values(var.environments) : it.gates == null || length(setsubtract(coalesce(it.gates, []), ["approval"])) == 0])
    error_message = "The environments' gates can be [\"approval\"] or []."
  }
}

variable "desired_count" {
  description = "How many tasks."
  type        = number
  default     = 1

  validation {
    condition     = var.desired_count >= 0 && floor(var.desired_count) == var.desired_count
    error_message = "The desired_count must be a whole number from 0 on."
  }
}

variable "concurrency" {
  description = "How many deployments a task works on at a time."
  type        = number
  default     = 2

  validation {
    condition     = var.concurrency >= 1 && floor(var.concurrency) == var.concurrency
    error_message = "The concurrency must be a whole number from 1 on."
  }
}

variable "cpu" {
  description = "The task's CPU units."
  type        = number
  default     = 1024

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "The cpu must be 256, 512, 1024, 2048, 4096, 8192 or 16384: Fargate has no others."
  }
}

variable "memory" {
  description = "The task's memory in MiB. Terraform with the AWS provider takes 1 GiB or more for each deployment at work."
  type        = number
  default     = 4096

  validation {
    condition     = var.memory >= 512 && var.memory <= 122880
    error_message = "The memory must be from 512 to 122880 MiB."
  }
}

variable "stop_timeout" {
  description = "Seconds between SIGTERM and SIGKILL. A Terraform at work has half of them to end by itself, and the rest to end what it has begun."
  type        = number
  default     = 120

  validation {
    condition     = var.stop_timeout >= 30 && var.stop_timeout <= 120
    error_message = "The stop_timeout must be from 30 to 120 seconds: Fargate allows no more."
  }
}

variable "health_check_command" {
  description = "What ECS runs in the container to see whether the agent lives, [\"CMD\", \"/usr/local/bin/hadron\", \"health\", \"agent\"] for instance. A task that fails it five times in a row, a minute apart, is replaced, protected or not, with the run that it has at work; [] leaves it to process 1, which starts an agent that died anew."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.health_check_command) == 0 || contains(["CMD", "CMD-SHELL"], try(var.health_check_command[0], ""))
    error_message = "The health_check_command must begin with CMD or CMD-SHELL."
  }
}

variable "state_bucket_arn" {
  description = "The bucket of Terraform's states (module state-bucket); null leaves them to the control plane."
  type        = string
  default     = null

  validation {
    condition     = var.state_bucket_arn == null || can(regex("^arn:[^:]+:s3:::[^/]+$", var.state_bucket_arn))
    error_message = "The state_bucket_arn must be a bucket's ARN."
  }
}

variable "state_bucket_region" {
  description = "That bucket's region; null means the cluster's."
  type        = string
  default     = null
}

variable "bucket_arn" {
  description = "The control plane's bucket, which holds bundles, inputs and run records."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_arn == null || can(regex("^arn:[^:]+:s3:::[^/]+$", var.bucket_arn))
    error_message = "The bucket_arn must be a bucket's ARN."
  }
}

variable "buckets_kms_key_arns" {
  description = "KMS keys of the two buckets, if they have any."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.buckets_kms_key_arns : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", arn))])
    error_message = "The buckets_kms_key_arns must be keys' ARNs, arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "ca_bundle" {
  description = "PEM certificates that the agent trusts besides the system's: those of a private authority."
  type        = string
  default     = null

  validation {
    condition     = var.ca_bundle == null || can(regex("-----BEGIN CERTIFICATE-----", var.ca_bundle))
    error_message = "The ca_bundle must be certificates as PEM, the text and not a file's name."
  }
}

variable "settings_toml" {
  description = "More of hadron.toml, for what has no variable here; it stands before what this module writes."
  type        = string
  default     = ""

  validation {
    condition     = !can(regex("(?m)^\\s*\\[\\s*environments", var.settings_toml))
    error_message = "The settings_toml must not have [environments…]: they come from the variable of that name."
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
  description = "How long the agent's own log is kept. What Terraform said is kept with its run, in the bucket."
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
