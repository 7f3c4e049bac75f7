//! Events that couldn't be delivered: to be looked at, and sent again.

mod list;
mod replay;

pub(super) use list::list_dead_letters;
pub(super) use replay::replay_dead_letters;
