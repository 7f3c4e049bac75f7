# What the service reads from files. A first container lays them into a volume that only this task has.
locals {
  settings_folder = "/etc/hadron"
  data_folder     = "/var/lib/hadron"

  files = merge(
    { "hadron.toml" = "${trimspace(var.settings_toml)}\n" },
    { for name, text in var.policies : "policies/${name}.cedar" => text },
    var.ca_bundle == null ? {} : { "ca.pem" = var.ca_bundle },
  )

  # The names hold nothing that a shell would take for more: see the validations.
  lay_files = join("\n", concat(
    [for path, text in local.files : "mkdir -p \"$(dirname ${local.settings_folder}/${path})\" && echo ${base64encode(text)} | base64 -d > ${local.settings_folder}/${path}"],
    ["chmod -R a+rX ${local.settings_folder}", "chown ${var.user} ${local.data_folder} && chmod 0700 ${local.data_folder}", "chmod 1777 /tmp"],
  ))
}
