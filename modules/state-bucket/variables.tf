variable "name" {
  description = "The bucket's name."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "The bucket's name must have 3 to 63 lower-case letters, digits and hyphens; dots would break TLS."
  }
}

variable "kms_key_arn" {
  description = "The KMS key that encrypts the states; null means S3's own keys (SSE-S3)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "The kms_key_arn must be a key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID: an alias may come to mean another key."
  }
}

variable "noncurrent_days" {
  description = "How many days a state that was replaced is kept."
  type        = number
  default     = 365

  validation {
    condition     = var.noncurrent_days >= 30 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "The noncurrent_days must be a whole number from 30 on: an old state is the way back from a bad apply."
  }
}

variable "state_keys" {
  description = "Keys of states (dev/terraform.tfstate) whose lock files' old versions go after a day. S3 has no rule by suffix, so each is named; the locks of others stay for noncurrent_days."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.state_keys) <= 990 && alltrue([for key in var.state_keys : can(regex("^[^/].*[^/]$", key)) && !can(regex("\\.tflock$", key))])
    error_message = "The state_keys must be at most 990 keys of states, without a slash at their ends and without .tflock."
  }
}

variable "force_destroy" {
  description = "Whether destroying the module deletes every state in the bucket with it. For trials alone."
  type        = bool
  default     = false
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
