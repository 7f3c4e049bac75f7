//! How often Terraform tidies its memory up.
//!
//! Go programs do so whenever what they use has doubled, and one that has only just begun uses next to nothing: for a small
//! deployment this takes a quarter of Terraform's processor time, to keep some megabytes free that nobody wants. Where
//! there is plenty of memory it is told to wait until that has grown fivefold, and to spend more time again as it comes
//! near its share, so that a large one doesn't take more than there is.
//!
//! <https://go.dev/doc/gc-guide#GOGC>, <https://go.dev/doc/gc-guide#Memory_limit>

use std::collections::BTreeMap;

use super::memory::MemoryGroup;

/// How often, and up to where.
const VARIABLES: [&str; 2] = ["GOGC", "GOMEMLIMIT"];

/// By how many per cent the memory in use may grow before it is tidied up; Go's own choice is 100.
const GROWTH: &str = "400";

/// The least memory for each run at a time with which this is done: below it Go's own choice is the better one.
const PLENTY: u64 = 4 << 30;

/// What is added to Terraform's environment, where `runs` go on at a time; nothing where memory is scarce, or where the site
/// has chosen itself.
pub fn collector(site: &BTreeMap<String, String>, runs: usize) -> BTreeMap<String, String> {
    let chosen = VARIABLES.iter().any(|name| site.contains_key(*name));
    if chosen { BTreeMap::new() } else { with(memory() / runs.max(1) as u64) }
}

/// The memory of this machine, or of the control group where that has less.
fn memory() -> u64 {
    let about = rustix::system::sysinfo();
    let machine: u64 = about.totalram.saturating_mul(about.mem_unit.into());
    MemoryGroup::own().and_then(|group| group.limit()).map_or(machine, |limit| limit.min(machine))
}

/// With so many bytes for each run. Terraform may have half of them, and what it starts the other half.
fn with(share: u64) -> BTreeMap<String, String> {
    if share < PLENTY {
        return BTreeMap::new();
    }
    let values = [GROWTH.to_owned(), format!("{}MiB", (share / 2) >> 20)];
    VARIABLES.iter().map(|name| (*name).to_owned()).zip(values).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_with_plenty_of_memory_is_it_tidied_less() {
        assert!(with(PLENTY - 1).is_empty());
        let set = with(6 << 30);
        assert_eq!((set["GOGC"].as_str(), set["GOMEMLIMIT"].as_str()), ("400", "3072MiB"));
        assert!(memory() > 1 << 20);
    }

    #[test]
    fn a_site_that_has_chosen_is_left_alone() {
        for name in VARIABLES {
            assert!(collector(&BTreeMap::from([(name.to_owned(), "50".to_owned())]), 1).is_empty());
        }
    }
}
