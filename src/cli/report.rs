//! `hadron report stale`: what is behind its template, by how much, since when, and whose it is.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use anyhow::Context;
use clap::{Args, Subcommand};
use hadron_model::hadron::{
    Operation, ReportStaleInput, SendStaleReportInput, SendStaleReportOutput, StaleRow, Staleness,
};
use jiff::Timestamp;

use super::{Exit, Failure, Form, print, remote};
use crate::settings::Resolved;
use crate::support::Clock;

/// Say how things stand
#[derive(Debug, Subcommand)]
pub(super) enum ReportCommand {
    /// What is behind the version that its template recommends, or was deployed with outputs that have changed since
    Stale(StaleArgs),
}

#[derive(Debug, Args)]
pub(super) struct StaleArgs {
    #[command(flatten)]
    pub(super) filter: Filter,
    /// What is up to date too
    #[arg(long)]
    all: bool,
    /// Comma-separated values with a line of names
    #[arg(long)]
    csv: bool,
    /// Send the report to this event sink instead of printing it
    #[arg(long, value_name = "NAME", conflicts_with = "csv")]
    sink: Option<String>,
}

/// Which rows.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Filter {
    /// Only this service's instances and pipeline
    #[arg(long, value_name = "NAME")]
    pub(super) service: Option<String>,
    /// Only what is made of this template
    #[arg(long, value_name = "NAME")]
    pub(super) template: Option<String>,
    /// Only this environment and the instances in it
    #[arg(long, value_name = "NAME")]
    pub(super) environment: Option<String>,
}

impl fmt::Display for Filter {
    /// `from the template web in the environment dev`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("from the template", &self.template),
            ("of the service", &self.service),
            ("in the environment", &self.environment),
        ];
        let said = parts.iter().filter_map(|(words, name)| Some(format!("{words} {}", name.as_ref()?)));
        f.write_str(&said.collect::<Vec<_>>().join(" "))
    }
}

/// Prints or sends the report.
pub(super) async fn run(settings: &Resolved, command: &ReportCommand, form: Form) -> Result<Exit, Failure> {
    let ReportCommand::Stale(args) = command;
    if let Some(sink) = &args.sink {
        return send(settings, sink).await;
    }
    let rows = rows(settings, &args.filter, args.all).await?;
    let text = match (args.csv, form) {
        (true, _) => csv(&rows)?,
        (false, Form::Json) => serde_json::to_string_pretty(&rows).context("writing the report as JSON")? + "\n",
        (false, Form::Text) => table(&rows, moment(Clock::system().now()).unwrap_or_default()),
    };
    print::out().write_all(text.as_bytes())?;
    Ok(Exit::Done)
}

async fn send(settings: &Resolved, sink: &str) -> Result<Exit, Failure> {
    let input = SendStaleReportInput { sink: sink.to_owned() };
    let sent = remote::hadron(settings)?.call(Operation::SendStaleReport, &input).await;
    let SendStaleReportOutput { rows } = sent.map_err(remote::refused)?;
    writeln!(io::stderr(), "sent {rows} rows to {sink}")?;
    Ok(Exit::Done)
}

/// Asks for all rows of a filter.
pub(super) async fn rows(settings: &Resolved, filter: &Filter, all: bool) -> Result<Vec<StaleRow>, Failure> {
    let Filter { service, template, environment } = filter.clone();
    let input = ReportStaleInput {
        all: Some(all),
        service_name: service,
        template_name: template,
        environment_name: environment,
        ..ReportStaleInput::default()
    };
    remote::hadron(settings)?.pages(Operation::ReportStale, &input).await.map_err(remote::refused)
}

/// How a row's target is called on the command line: `environment/dev`, `service/shop/instance/one`.
pub(super) fn short(row: &StaleRow) -> String {
    let service = row.service_name.as_deref().unwrap_or_default();
    match row.kind.as_str() {
        "service-instance" => format!("service/{service}/instance/{}", row.name),
        "service-pipeline" => format!("service/{service}/pipeline"),
        kind => format!("{kind}/{}", row.name),
    }
}

fn csv(rows: &[StaleRow]) -> Result<String, Failure> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let names = [
        "target",
        "environment",
        "template",
        "deployed",
        "recommended",
        "staleness",
        "versions_behind",
        "behind_since",
        "outputs_changed",
        "owner",
        "arn",
    ];
    let written = out.write_record(names).and_then(|()| {
        rows.iter().try_for_each(|row| {
            out.write_record([
                short(row),
                row.environment_name.clone().unwrap_or_default(),
                row.template_name.clone(),
                row.deployed.clone(),
                row.recommended.clone().unwrap_or_default(),
                row.staleness.to_string(),
                row.versions_behind.unwrap_or_default().to_string(),
                row.behind_since.and_then(|at| moment(at.0)).map(|at| at.to_string()).unwrap_or_default(),
                row.outputs_changed_in.clone().unwrap_or_default().join(" "),
                row.owner.clone().unwrap_or_default(),
                row.target_arn.clone(),
            ])
        })
    });
    written.context("writing the report as CSV")?;
    let bytes = out.into_inner().map_err(|error| anyhow::anyhow!("writing the report as CSV: {error}"))?;
    Ok(String::from_utf8(bytes).context("writing the report as CSV")?)
}

fn table(rows: &[StaleRow], now: Timestamp) -> String {
    if rows.is_empty() {
        return "nothing is behind\n".into();
    }
    let header = ["TARGET", "TEMPLATE", "DEPLOYED", "NEWEST", "BEHIND", "SINCE", "OWNER"].map(str::to_owned);
    let lines: Vec<_> = std::iter::once(header).chain(rows.iter().map(|row| cells(row, now))).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(text, "{}", line.trim_end()).expect("text takes text");
    }
    text
}

fn cells(row: &StaleRow, now: Timestamp) -> [String; 7] {
    let count = row.versions_behind.unwrap_or_default();
    let versions = if count == 1 { "version" } else { "versions" };
    let mut behind = match row.staleness {
        Staleness::UpToDate => String::new(),
        Staleness::BehindMinor => format!("{count} {versions}"),
        Staleness::BehindMajor => format!("{count} {versions}, major"),
        Staleness::Unpublished => "nothing is published".to_owned(),
    };
    if let Some(changed) = &row.outputs_changed_in {
        let separator = if behind.is_empty() { "" } else { "; " };
        write!(behind, "{separator}outputs changed: {}", changed.join(", ")).expect("text takes text");
    }
    [
        short(row),
        row.template_name.clone(),
        row.deployed.clone(),
        row.recommended.clone().unwrap_or_else(|| "-".into()),
        if behind.is_empty() { "-".into() } else { behind },
        row.behind_since.and_then(|at| moment(at.0)).map_or_else(|| "-".into(), |since| age(since, now)),
        row.owner.clone().unwrap_or_else(|| "-".into()),
    ]
}

fn moment(milliseconds: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds).ok()
}

/// Days are what a digest is read in.
fn age(since: Timestamp, now: Timestamp) -> String {
    let hours = now.duration_since(since).as_hours();
    if hours < 48 { format!("{} h", hours.max(0)) } else { format!("{} d", hours / 24) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> StaleRow {
        StaleRow {
            behind_since: Some(hadron_model::Timestamp(0)),
            deployed: "1.0".into(),
            environment_name: Some("prod".into()),
            kind: "service-instance".into(),
            name: "one".into(),
            outputs_changed: true,
            outputs_changed_in: Some(vec!["environment/prod".into()]),
            owner: Some("pay, ments".into()),
            recommended: Some("1.2".into()),
            service_name: Some("shop".into()),
            staleness: Staleness::BehindMinor,
            target_arn: "arn:aws:proton:us-east-1:123456789012:service/shop/service-instance/one".into(),
            template_name: "web".into(),
            versions_behind: Some(2),
        }
    }

    #[test]
    fn the_table_says_how_far_since_when_and_whose() {
        let text = table(&[row()], Timestamp::from_second(3 * 24 * 3600).unwrap());
        let expected = "TARGET                     TEMPLATE  DEPLOYED  NEWEST  BEHIND                                         SINCE  OWNER\n\
             service/shop/instance/one  web       1.0       1.2     2 versions; outputs changed: environment/prod  3 d    pay, ments\n";
        assert_eq!(text.lines().last(), expected.lines().last());
        assert_eq!(table(&[], Timestamp::UNIX_EPOCH), "nothing is behind\n");
    }

    #[test]
    fn values_with_commas_survive_csv() {
        let text = csv(&[row()]).unwrap();
        let mut read = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(read.headers().unwrap().get(9), Some("owner"));
        let first = read.records().next().unwrap().unwrap();
        assert_eq!(
            (&first[0], &first[7], &first[9]),
            ("service/shop/instance/one", "1970-01-01T00:00:00Z", "pay, ments")
        );
    }
}
