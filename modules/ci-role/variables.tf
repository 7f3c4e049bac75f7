variable "name" {
  description = "The role's name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "The role's name must have 1 to 64 letters, digits and the characters + = , . @ _ -."
  }
}

variable "service" {
  description = "Whose pipelines take the role: github or gitlab."
  type        = string

  validation {
    condition     = contains(["github", "gitlab"], var.service)
    error_message = "The service must be github or gitlab."
  }
}

variable "host" {
  description = "The host that issues the tokens, if not GitHub's or GitLab's own: token.actions.github.example.com, gitlab.example.com."
  type        = string
  default     = null

  validation {
    condition     = var.host == null || can(regex("^[a-z0-9.-]+(/[A-Za-z0-9._/-]+)?$", var.host))
    error_message = "The host must be without https:// and without a slash at its end."
  }
}

variable "subjects" {
  description = "Which jobs may take the role, as the token's sub says it, with * and ? as wildcards behind the repository: repo:acme/infrastructure:ref:refs/heads/main, project_path:acme/infrastructure:ref_type:branch:ref:main."
  type        = list(string)

  validation {
    condition     = length(var.subjects) > 0 && alltrue([for subject in var.subjects : can(regex("^(repo|project_path):[^:*?]+/[^:*?]+:.+$", subject))])
    error_message = "The subjects must name a repository each, without a wildcard in its name, and what of it: repo:OWNER/NAME:… or project_path:GROUP/NAME:…. Else anybody's jobs could take the role."
  }
}

variable "audience" {
  description = "The token's audience, which the job asks for."
  type        = string
  default     = "sts.amazonaws.com"

  validation {
    condition     = length(var.audience) > 0
    error_message = "The audience must not be empty."
  }
}

variable "create_oidc_provider" {
  description = "Whether the account's OIDC provider for this host is made here. An account can have only one for each host: false where there is one, or for the second role."
  type        = bool
  default     = true
}

variable "oidc_provider_arn" {
  description = "The account's OIDC provider for this host, where it isn't made here."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_provider_arn == null || can(regex("^arn:[^:]+:iam::[0-9]{12}:oidc-provider/", var.oidc_provider_arn))
    error_message = "The oidc_provider_arn must be an OIDC provider's ARN."
  }
}

variable "thumbprints" {
  description = "SHA-1 of the certificates that the host's authority may have. AWS checks GitHub's and GitLab's own hosts by its list of authorities and ignores these; for a host with a private authority they count."
  type        = list(string)
  default     = ["6938fd4d98bab03faadb97b34396831e3780aea1", "1c58a3a8518e8759bf075b76b750d4f2df264fcd"]

  validation {
    condition     = length(var.thumbprints) > 0 && length(var.thumbprints) <= 5 && alltrue([for print in var.thumbprints : can(regex("^[0-9a-f]{40}$", print))])
    error_message = "The thumbprints must be 1 to 5 SHA-1 digests, 40 lower-case hexadecimal digits each."
  }
}

variable "policy_arns" {
  description = "Managed policies with what the pipeline may do: reading for a role that plans, the templates' resources for one that applies."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.policy_arns : can(regex("^arn:[^:]+:iam::([0-9]{12}|aws):policy/", arn))])
    error_message = "The policy_arns must be ARNs of policies."
  }
}

variable "policies" {
  description = "The same as policy documents in JSON, by their names."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, text in var.policies : can(regex("^[A-Za-z0-9+=,.@_-]{1,128}$", name)) && can(jsondecode(text).Statement)])
    error_message = "The policies must be policy documents in JSON, with Statement, by names of letters and digits."
  }
}

variable "state_bucket_arns" {
  description = "The buckets of the states, which the role then may read, write and lock."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.state_bucket_arns : can(regex("^arn:[^:]+:s3:::[^/]+$", arn))])
    error_message = "The state_bucket_arns must be buckets' ARNs."
  }
}

variable "state_kms_key_arns" {
  description = "The KMS keys of these buckets, if they have any."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.state_kms_key_arns : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", arn))])
    error_message = "The state_kms_key_arns must be keys' ARNs, arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "permissions_boundary" {
  description = "The policy that bounds whatever the role is allowed. Roles that templates create should have it as well, or they are a way around it."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[^:]+:iam::([0-9]{12}|aws):policy/", var.permissions_boundary))
    error_message = "The permissions_boundary must be a policy's ARN."
  }
}

variable "max_session_duration" {
  description = "The longest session in seconds. `hadron run` asks for an hour."
  type        = number
  default     = 3600

  validation {
    condition     = var.max_session_duration >= 3600 && var.max_session_duration <= 43200
    error_message = "The max_session_duration must be from 3600 to 43200 seconds."
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
