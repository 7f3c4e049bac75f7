# What the agent reads from files: hadron.toml, and an overlay for each environment that makes Terraform's provider take the
# environment's role. A first container lays them into a volume that only this task has.
locals {
  settings_folder = "/etc/hadron"
  data_folder     = "/var/lib/hadron"
  bound           = length(var.environments) > 0 && !contains(keys(var.environments), "*")

  # "*" is no name for a folder.
  overlays = { for name in keys(var.environments) : name => name == "*" ? "all-others" : name }

  # A key of TOML and its text: JSON's strings are TOML's as well.
  environment_blocks = [for name, it in var.environments : join("\n", compact([
    "[environments.${jsonencode(name)}]",
    it.region == null ? "" : "region = ${jsonencode(it.region)}",
    it.gates == null ? "" : "gates = ${jsonencode(it.gates)}",
    "overlay = ${jsonencode("overlays/${local.overlays[name]}")}",
  ]))]

  overlay_files = { for name, it in var.environments : "overlays/${local.overlays[name]}/hadron_role_override.tf" => <<-E
    # The role of the environment ${name == "*" ? "that has none of its own" : name}. Terraform merges this into the template's provider "aws".
    provider "aws" {
      assume_role {
        role_arn     = ${jsonencode(it.role_arn)}
        external_id  = ${jsonencode(it.external_id)}
        session_name = "hadron"
      }
    }
    E
  }

  files = merge(
    { "hadron.toml" = join("\n\n", concat(compact([trimspace(var.settings_toml)]), local.environment_blocks, [""])) },
    local.overlay_files,
    var.ca_bundle == null ? {} : { "ca.pem" = var.ca_bundle },
  )

  # The names hold nothing that a shell would take for more: see the validations.
  lay_files = join("\n", concat(
    [for path, text in local.files : "mkdir -p \"$(dirname ${local.settings_folder}/${path})\" && echo ${base64encode(text)} | base64 -d > ${local.settings_folder}/${path}"],
    ["chmod -R a+rX ${local.settings_folder}", "chown ${var.user} ${local.data_folder} && chmod 0700 ${local.data_folder}", "chmod 1777 /tmp"],
  ))
}
