//! What the new owner of the roots finds beside them: a page that explains, and a pipeline that plans and applies.

use std::fmt::Write as _;

use crate::domain::Files;

/// A root in the list of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootLine {
    /// Its folder.
    pub folder: String,
    /// The resource's ARN in Proton's record.
    pub arn: String,
    /// Where its state lies, in words.
    pub state: String,
    /// Files with secrets in them, which aren't to be committed.
    pub secret: Vec<String>,
}

/// The page, the pipeline, and the list of what isn't committed. Roots stand in the order in which they depend on each
/// other: environments, instances, pipelines, components.
pub fn handover(roots: &[RootLine]) -> Files {
    let mut ignored = String::from(".terraform/\n*.tfstate\n*.tfstate.backup\n*.tfplan\n");
    for root in roots {
        for file in &root.secret {
            writeln!(ignored, "/{}/{file}", root.folder).expect("text takes text");
        }
    }
    Files::from([
        ("README.md".to_owned(), page(roots).into_bytes()),
        (".gitignore".to_owned(), ignored.into_bytes()),
        (".github/workflows/terraform.yml".to_owned(), WORKFLOW.as_bytes().to_vec()),
    ])
}

fn page(roots: &[RootLine]) -> String {
    let mut page = String::from(PAGE);
    for root in roots {
        writeln!(page, "| [`{0}`]({0}) | `{1}` | {2} |", root.folder, root.arn, root.state).expect("text takes text");
    }
    let secret: Vec<String> =
        roots.iter().flat_map(|root| root.secret.iter().map(|file| format!("{}/{file}", root.folder))).collect();
    if !secret.is_empty() {
        page.push_str(SECRETS);
        for file in secret {
            writeln!(page, "- `{file}`").expect("text takes text");
        }
    }
    page
}

const PAGE: &str = "\
# Terraform roots

Every folder below is a Terraform root of its own. `terraform init` and `terraform plan` in it need Terraform, the
credentials of its account, and nothing else; a plan right after the hand-over shows no changes.

- `proton.*.variables.tf` declares the variables and `proton.auto.tfvars.json` gives their values; both are yours now and
  can be changed, renamed or dissolved.
- `backend_override.tf` says where the state lies.
- `.terraform.lock.hcl`, where there is one, pins the providers to the versions that were used last.
- Values of other roots (an environment's outputs, say) stand in `proton.auto.tfvars.json` as they were when the root was
  deployed last. Where a value shall follow its origin from now on, read it with a `terraform_remote_state` data source.
- `.github/workflows/terraform.yml` plans what a pull request changes and applies it on the main branch. Name the role
  that it assumes in the repository's variable `AWS_ROLE`, and the region in `AWS_REGION`.

| root | was | state |
|---|---|---|
";

const SECRETS: &str = "
These files hold the variables whose values are secret. They are not committed (`.gitignore`): give a pipeline each such
variable in its own way, as `TF_VAR_environment` for example, whose text is the variable's JSON.

";

const WORKFLOW: &str = r#"name: terraform
on:
  pull_request:
  push:
    branches: [main]
permissions:
  id-token: write
  contents: read
jobs:
  roots:
    runs-on: ubuntu-latest
    outputs:
      changed: ${{ steps.changed.outputs.roots }}
    steps:
      - uses: actions/checkout@v5
        with:
          fetch-depth: 0
      - id: changed
        env:
          BASE: ${{ github.event.pull_request.base.sha || github.event.before }}
        run: |
          git cat-file -e "$BASE^{commit}" 2>/dev/null || BASE=$(git hash-object -t tree /dev/null)
          roots=$(git diff --name-only "$BASE" HEAD | while read -r file; do
            root=$(dirname "$file")
            while [ "$root" != . ] && [ ! -e "$root/backend_override.tf" ]; do root=$(dirname "$root"); done
            if [ "$root" != . ]; then echo "$root"; fi
          done | sort -u | jq --raw-input . | jq --slurp --compact-output 'sort_by(startswith("environments/") | not)')
          echo "roots=$roots" >> "$GITHUB_OUTPUT"
  terraform:
    needs: roots
    if: needs.roots.outputs.changed != '[]'
    runs-on: ubuntu-latest
    strategy:
      fail-fast: false
      # One at a time: environments come before what lies in them.
      max-parallel: 1
      matrix:
        root: ${{ fromJSON(needs.roots.outputs.changed) }}
    concurrency:
      group: ${{ matrix.root }}
    defaults:
      run:
        working-directory: ${{ matrix.root }}
    steps:
      - uses: actions/checkout@v5
      - uses: hashicorp/setup-terraform@v4
      - uses: aws-actions/configure-aws-credentials@v6
        with:
          role-to-assume: ${{ vars.AWS_ROLE }}
          aws-region: ${{ vars.AWS_REGION }}
      - run: terraform init -input=false
      - run: terraform plan -input=false -out=tfplan
      - if: github.event_name == 'push'
        run: terraform apply -input=false tfplan
"#;
