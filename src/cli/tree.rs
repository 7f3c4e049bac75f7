//! All commands as clap declares them, for what is made of the declarations: completions and man pages.

use clap::{Args, Command, CommandFactory, Subcommand};

use super::{Alone, Arguments, GlobalArgs, Verb};

/// The whole tree, without what only Hadron calls itself: clap hides that from its help, but some of its generators don't.
pub(super) fn tree() -> Command {
    let declared = Arguments::command();
    let mut tree = Command::new("hadron").version(env!("CARGO_PKG_VERSION")).propagate_version(true);
    if let Some(about) = declared.get_about() {
        tree = tree.about(about.clone());
    }
    let tree = Verb::augment_subcommands(GlobalArgs::augment_args(tree.subcommand_required(true)));
    Alone::augment_subcommands(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_says_what_it_does_and_none_is_hidden() {
        fn check(command: &Command, path: &str) {
            for part in command.get_subcommands() {
                let path = format!("{path} {}", part.get_name());
                assert!(part.get_about().is_some(), "{path} has no description");
                assert!(!part.is_hide_set(), "{path} is hidden");
                check(part, &path);
            }
        }
        let tree = tree();
        assert!(tree.find_subcommand("audit").is_some() && tree.find_subcommand("supervise").is_none());
        check(&tree, "hadron");
        tree.debug_assert();
    }
}
