//! What AWS Proton left behind: the directories that it rendered into Git repositories, read back into the templates,
//! environments, services and components that they were made from.
//!
//! Files in, values out: whoever calls has read the repository (room `git`), and whoever calls registers what comes out.
//! [`Estate`] is what the directories say; [`Rebuilt`] is what a control plane is told.

mod age;
mod dump;
mod model;
mod read;
mod rebuild;
mod rebuilt;
mod templates;
mod verify;

pub use age::Age;
pub use dump::Dump;
pub use model::{
    Banner, CodeFile, ComponentFacts, EnvConfig, Estate, Generated, Place, Resource, ServiceValues, SiteEntry, Tree,
    Trouble, TroubleKind, VersionRef,
};
pub use read::read;
pub use rebuild::rebuild;
pub use rebuilt::{
    Guess, Origin, Rebuilt, RebuiltComponent, RebuiltEnvironment, RebuiltInstance, RebuiltPipeline, RebuiltService,
    RebuiltTemplate, RebuiltVersion, StateAt, Told,
};
pub use verify::{Difference, Verdict, verify};
