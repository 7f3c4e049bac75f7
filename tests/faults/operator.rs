//! An operator who knows nothing but what is printed: reads how a blocked target is freed, looks in AWS whether a suspect
//! exists, and types the command.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::plan::{Setting, Template};
use crate::round::Game;
use crate::world::Answer;

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
    if game.world.setting == Setting::Bucket {
        return clear_here(game).await;
    }
    let mut cleared = Blocked::Not;
    // What exists is named first, if the first command printed wouldn't.
    for _ in 0..3 {
        let shown = shown(game);
        if shown["blocked"].is_null() {
            return Ok(cleared);
        }
        let text = says(game);
        let commands: Vec<&str> = COMMAND.find_iter(&text).map(|it| it.as_str().trim()).collect();
        let Some(first) = commands.first() else { return Err(format!("blocked, and no command is printed:\n{text}")) };
        let typed = adoption(game, &shown, first).await.unwrap_or_else(|| (*first).to_owned());
        let answer = game.world.shell(&game.folder, &typed);
        game.commands += 1;
        game.notes.push(format!("typed: {typed}"));
        if !answer.succeeded {
            let Answer { stdout, stderr, .. } = answer;
            return Err(format!("`{typed}` is refused:\n{stdout}{stderr}\nit was printed as:\n{text}"));
        }
        cleared = Blocked::Cleared;
    }
    let text = says(game);
    if shown(game)["blocked"].is_null() { Ok(cleared) } else { Err(format!("it stays blocked:\n{text}")) }
}

/// Where no server blocks anything the agent keeps from the target by itself, and says how that ends.
async fn clear_here(game: &mut Game<'_>) -> Result<Blocked, String> {
    let message = game.told().await;
    let Some((_, commands)) = message.split_once("until one of these is run:\n") else { return Ok(Blocked::Not) };
    if message == game.answered {
        return Ok(Blocked::Not);
    }
    let typed = commands.lines().next().unwrap_or_default().trim().to_owned();
    let answer = game.world.shell(&game.folder, &typed);
    game.commands += 1;
    game.notes.push(format!("typed: {typed}"));
    if !answer.succeeded {
        return Err(format!(
            "`{typed}` is refused:\n{}{}\nit was printed as:\n{message}",
            answer.stdout, answer.stderr
        ));
    }
    game.answered = message;
    Ok(Blocked::Cleared)
}

/// How the command line describes the state, as JSON.
fn shown(game: &Game<'_>) -> Value {
    let target = format!("environment/{}", game.name);
    game.world.hadron(&game.folder, &["state", "show", &target, "--output", "json"]).json()
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

/// Where a suspect without an id turns out to exist: the command that names it, and says that the others don't.
async fn adoption(game: &Game<'_>, shown: &Value, first: &str) -> Option<String> {
    let suspects = shown["blocked"]["suspects"].as_array()?;
    if game.round.template != Template::Queues {
        return None;
    }
    let known = crate::judge::state_ids(game).await;
    let (mut pairs, mut found) = (Vec::new(), false);
    for suspect in suspects {
        let address = suspect["address"].as_str().unwrap_or_default();
        let id = if let Some(id) = suspect["id"].as_str() {
            Some(id.to_owned())
        } else {
            let id = exists(game, address, &known).await;
            found |= id.is_some();
            id
        };
        pairs.extend(id.map(|id| format!("'{address}={id}'")));
    }
    let target = first.split_whitespace().nth(3)?;
    let rest = if pairs.len() == suspects.len() { "" } else { " --none" };
    found.then(|| format!("hadron state adopt {target} {}{rest}", pairs.join(" ")))
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
