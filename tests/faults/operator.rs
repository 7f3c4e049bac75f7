//! An operator who knows nothing but what is printed: reads how a blocked target is freed, looks in AWS whether a suspect
//! exists, and types the command.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::plan::Template;
use crate::round::Game;

static COMMAND: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"hadron state (?:push|unblock|adopt|unlock)[^\n`]*").unwrap());

/// Whether a target was blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocked {
    Not,
    Cleared,
}

/// Frees the round's target if it is blocked; an error says what was typed and what came of it.
pub(crate) async fn clear(game: &mut Game<'_>) -> Result<Blocked, String> {
    let target = format!("environment/{}", game.name);
    let shown = game.world.hadron(&game.folder, &["state", "show", &target, "--output", "json"]).json();
    if shown["blocked"].is_null() {
        return Ok(Blocked::Not);
    }
    let text = says(game);
    let commands: Vec<String> = COMMAND.find_iter(&text).map(|it| it.as_str().trim().to_owned()).collect();
    let Some(first) = commands.first() else { return Err(format!("blocked, and no command is printed:\n{text}")) };
    let typed = match adoption(game, &target, &shown, &commands).await {
        Some(typed) => typed,
        None => first.clone(),
    };
    let words: Vec<&str> = typed.split_whitespace().skip(1).collect();
    let answer = game.world.hadron(&game.folder, &words);
    game.commands += 1;
    game.notes.push(format!("typed: {typed}"));
    let after = game.world.hadron(&game.folder, &["state", "show", &target, "--output", "json"]).json();
    if answer.succeeded && after["blocked"].is_null() {
        return Ok(Blocked::Cleared);
    }
    Err(format!("`{typed}` doesn't clear it:\n{}{}\nit was printed as:\n{text}", answer.stdout, answer.stderr))
}

/// Everything that people are told of the target.
pub(crate) fn says(game: &Game<'_>) -> String {
    let target = format!("environment/{}", game.name);
    let show = game.world.hadron(&game.folder, &["state", "show", &target]);
    let status = game.world.hadron(&game.folder, &["status"]);
    let own: String =
        status.stdout.split('\n').skip_while(|line| !line.contains(&format!(" {} ", game.name))).take(12).fold(
            String::new(),
            |mut text, line| {
                text.push_str(line);
                text.push('\n');
                text
            },
        );
    format!("{}{}{own}", show.stdout, show.stderr)
}

/// Where suspects are listed: the command that says of each what it is, found by looking into AWS.
async fn adoption(game: &Game<'_>, target: &str, shown: &Value, commands: &[String]) -> Option<String> {
    let suspects = shown["blocked"]["suspects"].as_array().filter(|list| !list.is_empty())?;
    if game.round.template != Template::Queues || !commands.iter().any(|it| it.starts_with("hadron state adopt")) {
        return None;
    }
    let known = crate::judge::state_ids(game);
    let mut pairs = Vec::new();
    for suspect in suspects {
        let address = suspect["address"].as_str().unwrap_or_default();
        let id = match suspect["id"].as_str() {
            Some(id) => Some(id.to_owned()),
            None => exists(game, address, &known).await,
        };
        pairs.extend(id.map(|id| format!("{address}={id}")));
    }
    let every = pairs.len() == suspects.len();
    let pairs = pairs.join(" ");
    Some(format!("hadron state adopt {target} {pairs}{}", if every { "" } else { " --none" }))
}

/// The id of an object that an address may have made and that the state doesn't know.
async fn exists(game: &Game<'_>, address: &str, known: &[String]) -> Option<String> {
    // The letter is the resource's name: aws_sqs_queue.d[0].
    let letter = address.rsplit('.').next()?.split('[').next()?;
    let objects = game.world.objects(&format!("{}-{letter}-", game.name)).await;
    let last = |id: &str| id.rsplit('/').next().unwrap_or_default().to_owned();
    let known: Vec<String> = known.iter().map(|id| last(id)).collect();
    objects.into_iter().find(|object| !known.contains(&last(object)))
}
