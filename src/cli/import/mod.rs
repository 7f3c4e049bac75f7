//! `hadron import`: brings back what AWS Proton left in Git repositories.

pub(super) mod apply;
mod read;
mod show;
pub(super) mod state;
mod write;

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use super::{Exit, Failure, Form};
use crate::estate::{self, Dump, Estate, Rebuilt, Tree, Trouble, TroubleKind};
use crate::settings::Resolved;

/// What to read, and what to do with it.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// A repository that Proton provisioned into: a folder, or a URL that `git clone` takes; with @BRANCH that branch,
    /// without it the folder as it lies there, or the URL's own main branch
    #[arg(required = true, value_name = "REPO[@BRANCH]")]
    repositories: Vec<String>,
    /// A repository of template bundles; may be given several times
    #[arg(long, value_name = "REPO[@BRANCH]")]
    templates: Vec<String>,
    /// A folder of JSON answers of `aws proton get-…` and `list-…`
    #[arg(long, value_name = "DIR")]
    dump: Option<PathBuf>,
    /// Render every live resource again and compare it with what Proton wrote; exit code 4 unless all agree
    #[arg(long)]
    verify: bool,
    /// Write the rebuilt bundles, specs and components into a folder
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    #[command(flatten)]
    apply: apply::ApplyArgs,
}

/// Everything that was read, and what was made of it.
struct Import {
    estate: Estate,
    rebuilt: Vec<Rebuilt>,
}

/// Reads, then shows or proves, then writes and registers. What isn't proved, where a proof was asked for, is neither
/// written nor registered.
pub(super) async fn run(settings: &Resolved, args: &ImportArgs, form: Form) -> Result<Exit, Failure> {
    let mut import = read(args)?;
    for trouble in apply::complete(settings, &args.apply, &mut import.rebuilt).await? {
        tracing::warn!("{trouble}");
    }
    let mut compared = None;
    if args.verify {
        let verdicts = show::Verdicts::of(&import, &estate::verify(&import.estate, &import.rebuilt));
        // What was registered belongs into the same document.
        if args.apply.registers() && verdicts.exit == Exit::Done && form == Form::Json {
            compared = Some(verdicts.document);
        } else {
            verdicts.print(form)?;
        }
        if verdicts.exit != Exit::Done {
            return Ok(verdicts.exit);
        }
    } else if args.apply.registers() {
        let left_out = import.estate.troubles.iter().filter(|it| it.kind == TroubleKind::Unreadable);
        left_out.for_each(|trouble| tracing::warn!("{}", show::line(trouble)));
    } else {
        show::found(&import, form)?;
    }
    if let Some(folder) = &args.write {
        let files = write::write(&import.rebuilt, folder)?;
        tracing::info!("{files} files written to {}", folder.display());
    }
    apply::finish(settings, &args.apply, (&import.estate, &import.rebuilt), form, compared).await
}

/// Reads everything that was named. The trouble of all steps stands together, in the estate.
fn read(args: &ImportArgs) -> Result<Import, Failure> {
    let rendered = trees(&args.repositories, read::Want::Rendered)?;
    let mut estate = estate::read(&rendered);
    drop(rendered);
    let unreadable = estate.troubles.iter().any(|trouble| trouble.kind == TroubleKind::Unreadable);
    if estate.resources.is_empty() && !unreadable {
        let message = anyhow!("nothing of Proton's was found in {}", args.repositories.join(", "));
        return Err(Failure::new(Exit::Usage, message)
            .hint("Proton left `.proton/deployment-metadata.json` in every directory that it rendered")
            .hint("name the branch that Proton provisioned into as REPO@BRANCH"));
    }
    let templates = trees(&args.templates, read::Want::All)?;
    let (dump, troubles) = dump(args)?;
    estate.troubles.extend(troubles);
    let (rebuilt, troubles) = estate::rebuild(&estate, &templates, &dump);
    estate.troubles.extend(troubles);
    sort(&mut estate.troubles);
    Ok(Import { estate, rebuilt })
}

fn trees(given: &[String], want: read::Want) -> Result<Vec<Tree>, Failure> {
    given.iter().map(|given| read::tree(given, want)).collect()
}

fn dump(args: &ImportArgs) -> Result<(Dump, Vec<Trouble>), Failure> {
    let Some(folder) = &args.dump else { return Ok((Dump::default(), Vec::new())) };
    if !folder.is_dir() {
        let message = anyhow!("there is no folder `{}`", folder.display());
        return Err(Failure::new(Exit::Usage, message)
            .hint("--dump takes the folder with the JSON that `aws proton get-…` and `list-…` printed"));
    }
    let tree = read::tree(&folder.to_string_lossy(), read::Want::All)?;
    let (dump, troubles): (Dump, Vec<Trouble>) = Dump::read(&tree.files);
    Ok((dump, troubles))
}

fn sort(troubles: &mut Vec<Trouble>) {
    troubles.sort_by(|a, b| (a.kind, &a.place, a.line, &a.message).cmp(&(b.kind, &b.place, b.line, &b.message)));
    troubles.dedup();
}
