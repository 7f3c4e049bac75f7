variable "name" {
  description = "The role's name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "The role's name must have 1 to 64 letters, digits and the characters + = , . @ _ -."
  }
}

variable "path" {
  description = "The role's path."
  type        = string
  default     = "/"

  validation {
    condition     = can(regex("^/([!-~]+/)?$", var.path))
    error_message = "The path must begin and end with a slash: /hadron/."
  }
}

variable "trusted_role_arns" {
  description = "The roles that may take this one: the task roles of agents."
  type        = list(string)

  validation {
    condition     = length(var.trusted_role_arns) > 0 && alltrue([for arn in var.trusted_role_arns : can(regex("^arn:[^:]+:iam::[0-9]{12}:role/", arn))])
    error_message = "The trusted_role_arns must be ARNs of roles, at least one: neither * nor a whole account."
  }
}

variable "external_id" {
  description = "What an agent must say besides being one of these roles; the same stands in its own settings. It keeps an agent that serves several teams from being talked into another team's role."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@:/-]{8,}$", var.external_id))
    error_message = "The external_id must have at least 8 letters, digits and characters _ + = , . @ : / -."
  }
}

variable "policy_arns" {
  description = "Managed policies with what this environment's templates create."
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
  description = "The longest session in seconds. A role that takes this one gets an hour at most, whatever stands here; Terraform's provider takes it anew by itself."
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
