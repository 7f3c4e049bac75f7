//! The counts.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

use crate::plan::{Operation, Round, Setting, Template};
use crate::race::Race;
use crate::round::{Outcome, Report};

/// What has come of all rounds.
#[derive(Debug)]
pub(crate) struct Tally {
    seed: u64,
    reports: Vec<Report>,
    races: Vec<Race>,
    pub(crate) took: Duration,
}

/// A row of the table.
#[derive(Debug, Default)]
struct Row {
    rounds: usize,
    missed: usize,
    succeeded: usize,
    recovered: usize,
    way_out: usize,
    lost: usize,
    duplicated: usize,
    stuck: usize,
}

impl Row {
    fn add(&mut self, report: &Report) {
        self.rounds += 1;
        self.missed += usize::from(report.missed);
        self.succeeded += usize::from(matches!(report.ended.as_str(), "SUCCEEDED" | "DELETED"));
        *match &report.outcome {
            Outcome::Recovered => &mut self.recovered,
            Outcome::WayOut => &mut self.way_out,
            Outcome::Lost(_) => &mut self.lost,
            Outcome::Duplicated(_) => &mut self.duplicated,
            Outcome::Stuck(_) | Outcome::Wrong(_) => &mut self.stuck,
        } += 1;
    }

    fn cells(&self) -> [usize; 8] {
        let Self { rounds, missed, succeeded, recovered, way_out, lost, duplicated, stuck } = *self;
        [rounds, missed, succeeded, recovered, way_out, lost, duplicated, stuck]
    }
}

/// A share of the rounds: its name, and which rounds are of it.
type Share = (&'static str, fn(&Round) -> bool);

impl Tally {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, reports: Vec::new(), races: Vec::new(), took: Duration::ZERO }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.reports.iter().all(|report| report.outcome.is_good())
            && self.races.iter().all(|race| race.problems.is_empty())
    }

    /// Takes what came of a race.
    pub(crate) fn race(&mut self, race: Race) {
        println!("{race}");
        self.races.push(race);
    }

    /// Takes a round's report and prints a line; all that is known if it isn't good.
    pub(crate) fn add(&mut self, report: Report) {
        let Report { round, outcome, missed, twice, ended, notes, took } = &report;
        let good = if outcome.is_good() { String::new() } else { "  <<<<<<".to_owned() };
        let first = ended.lines().next().unwrap_or_default();
        println!(
            "round {:>4}  {:?}{} {:?} {:?} {} {:?}{}: {}{}, {:.1} s  [{}]{good}",
            round.number,
            round.setting,
            if round.gated { ", gated" } else { "" },
            round.template,
            round.operation,
            round.fault.name(),
            round.moment,
            round.second.filter(|_| *twice).map(|(fault, _)| format!(", then {}", fault.name())).unwrap_or_default(),
            word(outcome),
            if *missed { " (the moment never came)" } else { "" },
            took.as_secs_f32(),
            first.chars().take(160).collect::<String>(),
        );
        if !outcome.is_good() {
            println!("  {}", format!("{outcome:?}").replace("\\n", "\n    "));
        }
        for note in notes {
            println!("  {}", note.replace('\n', "\n    "));
        }
        self.reports.push(report);
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Recovered => "recovered",
        Outcome::WayOut => "blocked, with a way out",
        Outcome::Lost(_) => "LOST",
        Outcome::Duplicated(_) => "DUPLICATED",
        Outcome::Stuck(_) => "STUCK",
        Outcome::Wrong(_) => "WRONG",
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = BTreeMap::<String, Row>::new();
        let mut all = Row::default();
        for report in &self.reports {
            rows.entry(report.round.fault.name()).or_default().add(report);
            all.add(report);
        }
        let of = |template| self.reports.iter().filter(|it| it.round.template == template).count();
        let doing = |operation| self.reports.iter().filter(|it| it.round.operation == operation).count();
        writeln!(
            f,
            "\n{} rounds with HADRON_TEST_SEED={} in {:.0} s; {} with the AWS provider, {} on this machine; {} created, {} \
             extended, {} replaced, {} deleted something; in {} a second fault met the recovery",
            self.reports.len(),
            self.seed,
            self.took.as_secs_f32(),
            of(Template::Queues),
            of(Template::Data),
            doing(Operation::Create),
            doing(Operation::Extend),
            doing(Operation::Replace),
            doing(Operation::Delete),
            self.reports.iter().filter(|report| report.twice).count(),
        )?;
        writeln!(
            f,
            "| fault | rounds | moment never came | deployment succeeded | recovered | blocked, with a way out | lost | \
             duplicated | stuck |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        let mut line = |name: &str, row: &Row| {
            let cells: Vec<String> = row.cells().iter().map(ToString::to_string).collect();
            writeln!(f, "| {name} | {} |", cells.join(" | "))
        };
        rows.iter().try_for_each(|(name, row)| line(name, row))?;
        line("all", &all)?;
        let of_these: [Share; 3] = [
            ("of these: state in a bucket", |round| round.setting == Setting::Bucket),
            ("of these: record in PostgreSQL", |round| round.setting == Setting::Postgres),
            ("of these: people approve the plan", |round| round.gated),
        ];
        for (name, is) in of_these {
            let mut row = Row::default();
            self.reports.iter().filter(|report| is(&report.round)).for_each(|report| row.add(report));
            line(name, &row)?;
        }
        self.races.iter().try_for_each(|race| writeln!(f, "{race}"))
    }
}

impl Display for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deployments, agents, kills, took, problems } = self;
        let took = took.as_secs_f32();
        write!(
            f,
            "race: {agents} agents over {deployments} deployments, {kills} times an agent was killed, {took:.0} s: "
        )?;
        match problems.as_slice() {
            [] => write!(f, "each succeeded, and its Terraform made it once"),
            problems => write!(f, "{} problems  <<<<<<\n  {}", problems.len(), problems.join("\n  ")),
        }
    }
}
