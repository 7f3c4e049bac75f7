/*
Managed by Hadron for arn:aws:proton:us-east-1:123456789012:service/shop/service-instance/web.

The next deployment writes this file anew, and changes made here are lost: change the template or the spec.
If the resource is gone from Hadron, what this file made may still exist.
*/

variable "environment" {
  type = object({
    account_id = string
    name       = string
    outputs    = map(string)
  })
  default = null
}

variable "service" {
  type = object({
    name                      = string
    branch_name               = string
    repository_connection_arn = string
    repository_id             = string
  })
}

variable "service_instance" {
  type = object({
    name       = string
    inputs     = any
    components = map(any)
  })
  default = null
}

variable "proton_tags" {
  type    = map(string)
  default = null
}
