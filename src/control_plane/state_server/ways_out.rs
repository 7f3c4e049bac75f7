//! The commands that lift a block, to be run as they are printed.

use crate::control_plane::records::{StateBlock, Suspect};

/// Every command lifts the block by itself; the first is the one to choose unless there is a reason against it. `serial`
/// is that of the newest state here, 0 if there is none.
pub(crate) fn ways_out(target_arn: &str, block: &StateBlock, serial: i64) -> Vec<String> {
    let decided = |suspect: &Suspect| suspect.id.is_some() || (suspect.in_parked && !block.parked.is_empty());
    let unknown = !block.suspects.iter().all(decided);
    let rest = if unknown { " --none" } else { "" };
    let mut commands = Vec::new();
    if !block.parked.is_empty() {
        commands.push(format!("hadron state push {target_arn} --parked{rest}"));
    } else if !block.suspects.is_empty() {
        let known: String = block.suspects.iter().filter_map(adoption).collect();
        if !known.is_empty() {
            commands.push(format!("hadron state adopt {target_arn}{known}{rest}"));
        }
        commands.push(format!("hadron state adopt {target_arn} --none"));
    }
    commands.push(format!("hadron state unblock {target_arn} --serial {serial}"));
    commands
}

fn adoption(suspect: &Suspect) -> Option<String> {
    suspect.id.as_ref().map(|id| format!(" {}", quoted(&format!("{}={id}", suspect.address))))
}

/// A word as a POSIX shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::records::{BlockingRun, ParkedState, StateStamp};

    fn suspect(address: &str, id: Option<&str>) -> Suspect {
        Suspect {
            address: address.into(),
            kind: "t".into(),
            id: id.map(str::to_owned),
            why: String::new(),
            in_parked: false,
        }
    }

    fn block(suspects: Vec<Suspect>, parked: bool) -> StateBlock {
        let by = BlockingRun { deployment: "d".into(), epoch: 1, agent: "a".into() };
        let stamp = StateStamp { lineage: "l".into(), serial: 9 };
        let state = ParkedState { target_arn: "A".into(), stamp, size: 1, digest: "0".into(), at: 1, by: by.clone() };
        let parked = if parked { vec![state] } else { Vec::new() };
        StateBlock { reason: "r".into(), since: 1, serial: Some(3), by: Some(by), suspects, parked }
    }

    #[test]
    fn every_question_has_its_commands_and_the_shell_takes_them() {
        let both = vec![suspect("t.a", Some("https://x/a")), suspect(r#"t.b["it's"]"#, Some("b c"))];
        let unknown = vec![suspect("t.a", Some("1")), suspect("t.b", None)];
        for (block, expected) in [
            (block(vec![], false), vec!["unblock A --serial 3"]),
            (block(vec![], true), vec!["push A --parked", "unblock A --serial 3"]),
            (block(both.clone(), true), vec!["push A --parked", "unblock A --serial 3"]),
            (block(unknown.clone(), true), vec!["push A --parked --none", "unblock A --serial 3"]),
            (
                block(both, false),
                vec![r#"adopt A t.a=https://x/a 't.b["it'\''s"]=b c'"#, "adopt A --none", "unblock A --serial 3"],
            ),
            (
                block(vec![Suspect { in_parked: true, ..suspect("t.b", None) }], true),
                vec!["push A --parked", "unblock A --serial 3"],
            ),
            (block(unknown, false), vec!["adopt A t.a=1 --none", "adopt A --none", "unblock A --serial 3"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(|rest| format!("hadron state {rest}")).collect();
            assert_eq!(ways_out("A", &block, 3), expected);
        }
    }
}
