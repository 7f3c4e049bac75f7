//! What is provisioned: queues and a log group by the real AWS provider, and steps that are marked in a folder.

/// Names are made up by the provider (`name_prefix`), so that something made twice is there twice. Of `b` another
/// `generation` makes a new one; `more` adds `d`.
pub(crate) const QUEUES: &str = r#"
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  skip_get_ec2_platforms      = true

  endpoints {
    sqs            = var.environment.inputs.endpoint
    cloudwatchlogs = var.environment.inputs.endpoint
    sts            = var.environment.inputs.endpoint
  }
}

resource "aws_sqs_queue" "a" {
  name_prefix = "${var.environment.inputs.prefix}-a-"
}

resource "aws_sqs_queue" "b" {
  name_prefix = "${var.environment.inputs.prefix}-b-${var.environment.inputs.generation}-"
  depends_on  = [aws_sqs_queue.a]
}

resource "aws_cloudwatch_log_group" "c" {
  name_prefix = "${var.environment.inputs.prefix}-c-"
  depends_on  = [aws_sqs_queue.b]
}

resource "aws_sqs_queue" "d" {
  count       = var.environment.inputs.more == "yes" ? 1 : 0
  name_prefix = "${var.environment.inputs.prefix}-d-"
  depends_on  = [aws_sqs_queue.a]
}

output "A" {
  value = aws_sqs_queue.a.id
}

output "B" {
  value = aws_sqs_queue.b.id
}

output "C" {
  value = aws_cloudwatch_log_group.c.id
}

output "D" {
  value = join(",", aws_sqs_queue.d[*].id)
}
"#;

/// Three steps, one after the other; another `word` makes all anew.
pub(crate) const DATA: &str = r#"
locals {
  folder = var.environment.inputs.folder
}

resource "terraform_data" "a" {
  input            = local.folder
  triggers_replace = var.environment.inputs.word

  provisioner "local-exec" {
    command = "sh '${self.input}/step' made a '${self.id}'"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "sh '${self.input}/step' gone a '${self.id}'"
  }
}

resource "terraform_data" "b" {
  input            = local.folder
  triggers_replace = terraform_data.a.id

  provisioner "local-exec" {
    command = "sh '${self.input}/step' made b '${self.id}'"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "sh '${self.input}/step' gone b '${self.id}'"
  }
}

resource "terraform_data" "c" {
  input            = local.folder
  triggers_replace = terraform_data.b.id

  provisioner "local-exec" {
    command = "sh '${self.input}/step' made c '${self.id}'"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "sh '${self.input}/step' gone c '${self.id}'"
  }
}

output "A" {
  value = terraform_data.a.id
}

output "B" {
  value = terraform_data.b.id
}

output "C" {
  value = terraform_data.c.id
}
"#;

/// Does what the provisioners ask: marks that it began, waits as long as `pause` says, does what the round has ordered,
/// writes the object, marks that it has ended. Two at once are trouble: the resources come one after the other, so
/// there must be two Terraforms at work.
pub(crate) const STEP: &str = r#"
cd "$(dirname "$0")" || exit 1
if ! mkdir running 2>/dev/null; then
  other=$(cat running/pid 2>/dev/null)
  # The number alone may be a stranger's by now.
  if [ -n "$other" ] && [ "$(readlink "/proc/$other/cwd")" = "$(pwd -P)" ]; then
    echo "$1 $2 $3 overlaps with $(cat running/what)" >> trouble
  fi
  mkdir -p running
fi
echo $$ > running/pid
echo "$1 $2 $3" > running/what
echo "$1 $2 $3" >> begun
touch "at-$2"
if [ -f "pause-$2" ]; then sleep "$(cat "pause-$2")"; else sleep 0.1; fi
if [ -f "allocate-$2" ]; then
  rm "allocate-$2"
  ulimit -v 400000
  python3 -c 'x = bytearray(1 << 30)' || { rm -rf running; exit 137; }
fi
if [ -f "fail-$2" ]; then rm "fail-$2"; rm -rf running; exit 3; fi
if [ "$1" = made ]; then echo "$3" > "object-$2"; else rm -f "object-$2"; fi
echo "$1 $2 $3" >> done
rm -rf running
"#;

/// Leaves one line behind each time that it is made.
pub(crate) const MARK: &str = r#"
resource "terraform_data" "mark" {
  provisioner "local-exec" {
    command = "echo '${self.id}' >> '${var.environment.inputs.folder}/${var.environment.name}'"
  }
}

output "Id" {
  value = terraform_data.mark.id
}
"#;
