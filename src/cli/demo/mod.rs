//! `hadron demo`: the whole story on this machine, offline, with real Terraform and remote state.

mod bundles;
mod screen;
mod story;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, anyhow};
use clap::Args;
use tokio_util::sync::CancellationToken;

pub(super) use self::screen::Screen;
use self::story::Story;
use super::agent;
use super::serve::{self, Server};
use super::{Exit, Failure, Form, print, up};
use crate::lifecycle::Lifecycle;
use crate::objects::{Objects, ObjectsConfig};
use crate::proton::Proton;
use crate::settings::Resolved;
use crate::support::{AwsAccess, files};

/// Marks a folder as the demo's own, so that a later demo may empty it.
const MARK: &str = "made-by-hadron-demo";

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Keep everything running at the end, for your own commands
    #[arg(long)]
    keep: bool,
    /// Tear everything down at the end, through the API
    #[arg(long, conflicts_with = "keep")]
    destroy: bool,
}

/// Tells the story, prints the outputs, exits.
pub(super) async fn run(settings: &Resolved, args: &DemoArgs, form: Form) -> Result<Exit, Failure> {
    let began = Instant::now();
    let lifecycle = Lifecycle::listen()?;
    let terraform = agent::find_terraform(settings)?;
    let server = serve::start(settings, &lifecycle).await?;
    let screen = Screen::new();
    screen.say(&format!(
        "Hadron on {}, Terraform {}, data in {}",
        server.base_url,
        terraform.version,
        settings.text("data").unwrap_or_default()
    ));
    let ended = up::start_agent(settings, &server, &lifecycle, Some(&screen)).await?;
    let story = Story::new(proton(&server).await, objects(&server).await, screen.clone());
    let told = tokio::select! {
        told = tell(&story, args, form, began) => told,
        () = lifecycle.soft.cancelled() => Ok(Exit::Cancelled),
    };
    if args.keep && matches!(told, Ok(Exit::Done)) {
        keep_running(&server, &lifecycle, form).await?;
    }
    finish(&lifecycle, &ended).await;
    told
}

async fn tell(story: &Story, args: &DemoArgs, form: Form, began: Instant) -> Result<Exit, Failure> {
    let hint =
        |failure: anyhow::Error| Failure::from(failure).hint("the runs are kept in the data folder, below runs/");
    let outputs = story.tell().await.map_err(hint)?;
    let mut out = print::out();
    match form {
        Form::Json => {
            writeln!(out, "{}", serde_json::to_string_pretty(&screen::json(&outputs)).context("writing outputs")?)?;
        }
        Form::Text => write!(out, "\n{}", screen::table(&outputs))?,
    }
    drop(out);
    if args.destroy {
        story.destroy().await.map_err(hint)?;
    }
    story.screen.say(&format!("done in {:.1} s", began.elapsed().as_secs_f64()));
    Ok(Exit::Done)
}

async fn keep_running(server: &Server, lifecycle: &Lifecycle, form: Form) -> Result<(), Failure> {
    writeln!(io::stderr(), "\nEverything keeps running; end it with Ctrl-C. In another shell:\n")?;
    match form {
        Form::Text => io::stdout().write_all(server.exports().as_bytes())?,
        // The outputs are the one document.
        Form::Json => io::stderr().write_all(server.exports().as_bytes())?,
    }
    lifecycle.soft.cancelled().await;
    Ok(())
}

async fn finish(lifecycle: &Lifecycle, agent_ended: &CancellationToken) {
    lifecycle.soft.cancel();
    tokio::select! {
        () = agent_ended.cancelled() => {}
        () = lifecycle.hard.cancelled() => {}
    }
    lifecycle.serving.cancel();
    lifecycle.finish().await;
}

/// The demo has a folder of its own, emptied at its start, and any port: it never meets what else runs here.
pub(super) fn in_own_folder(settings: Resolved) -> Result<Resolved, Failure> {
    let folder = serve::data_folder(&settings)?.join("demo");
    empty(&folder)?;
    files::create_private_folder(&folder).with_context(|| format!("making {}", folder.display()))?;
    fs::write(folder.join(MARK), "").with_context(|| format!("writing to {}", folder.display()))?;
    let mut settings = settings.with_flag("data", folder.display().to_string());
    if settings.text("listen") == settings.default("listen") {
        settings = settings.with_flag("listen", "127.0.0.1:0".into());
    }
    if settings.text("log.level") == settings.default("log.level") {
        settings = settings.with_flag("log.level", "warn".into());
    }
    Ok(settings)
}

fn empty(folder: &Path) -> Result<(), Failure> {
    if !folder.exists() {
        return Ok(());
    }
    if !folder.join(MARK).exists() {
        let words = anyhow!("{} is there, and no demo made it", folder.display());
        return Err(Failure::new(Exit::Settings, words).hint("name another data folder with --data"));
    }
    Ok(fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?)
}

async fn proton(server: &Server) -> Proton {
    Proton::new(&AwsAccess {
        endpoint: Some(server.base_url.clone()),
        region: Some(server.region.clone()),
        credentials: Some(server.keys.admin.clone()),
        trust: server.trust.clone(),
    })
    .await
}

async fn objects(server: &Server) -> Objects {
    Objects::new(ObjectsConfig {
        endpoint: Some(server.base_url.clone()),
        region: server.region.clone(),
        credentials: Some(server.keys.admin.clone()),
        path_style: true,
        trust: server.trust.clone(),
    })
    .await
}
