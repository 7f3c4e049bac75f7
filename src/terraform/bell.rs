//! Learns at once that something happens in a step's folder, instead of looking there a thousand times a second: with
//! many runs at a time that took more of the processor than Hadron's work.
//!
//! inotify(7) tells of files that are written and renamed. Where the kernel gives no more watches
//! (`fs.inotify.max_user_instances`) the folder is looked at every hundredth of a second.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep, sleep_until};

/// How often a folder is looked at that nobody watches.
const BLIND: Duration = Duration::from_millis(10);

/// Nothing tells of a supervisor's death, and the kernel may drop news when there is too much: a watched folder is looked
/// at this often.
const LOOK: Duration = Duration::from_millis(100);

/// Output comes in bursts; more of it is waited for so long, a renamed file isn't.
const BURST: Duration = Duration::from_millis(2);

/// Rings when a folder changes.
pub(super) struct Bell {
    watch: Option<AsyncFd<OwnedFd>>,
}

impl Bell {
    /// Listens from now on, if the kernel lets us.
    #[expect(deprecated, reason = "its successor is unsafe for descriptors that close; an OwnedFd is ours alone")]
    pub(super) fn of(folder: &Path) -> Self {
        let watch = || {
            let watch = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            add_watch(&watch, folder, WatchFlags::MODIFY | WatchFlags::MOVED_TO)?;
            AsyncFd::new(watch)
        };
        Self { watch: watch().ok() }
    }

    /// Waits until the folder is worth a look.
    pub(super) async fn rings(&mut self) {
        let Some(watch) = &self.watch else { return sleep(BLIND).await };
        let mut until = Instant::now() + LOOK;
        let mut heard = false;
        loop {
            let mut ready = tokio::select! {
                ready = watch.readable() => match ready {
                    Ok(ready) => ready,
                    Err(_) => break,
                },
                () = sleep_until(until) => return,
            };
            match news(watch.get_ref()) {
                News::Renamed => return,
                News::Written if !heard => (heard, until) = (true, Instant::now() + BURST),
                News::Written | News::Nothing => {}
                News::Broken => break,
            }
            ready.clear_ready();
        }
        // It can't be read: from now on we look.
        self.watch = None;
    }
}

/// The kernel closes a watch only once nobody can be hearing of it any more, which takes it up to some hundredths of a
/// second; the end of a run doesn't wait for that.
impl Drop for Bell {
    fn drop(&mut self) {
        let Some(watch) = self.watch.take().map(AsyncFd::into_inner) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(watch));
        }
    }
}

enum News {
    Nothing,
    /// A file was written to.
    Written,
    /// A file has its name now, and is complete.
    Renamed,
    Broken,
}

/// Takes in all there is.
fn news(watch: &OwnedFd) -> News {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = Reader::new(watch, &mut buffer);
    let mut news = News::Nothing;
    loop {
        match reader.next() {
            Ok(event) if event.events().contains(ReadFlags::MOVED_TO) => news = News::Renamed,
            Ok(_) if matches!(news, News::Nothing) => news = News::Written,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return news,
            Err(_) => return News::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_file_that_gets_its_name_rings_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut bell = Bell::of(folder.path());
        fs::write(folder.path().join("exit.json.new"), "{}").unwrap();
        fs::rename(folder.path().join("exit.json.new"), folder.path().join("exit.json")).unwrap();
        let began = Instant::now();
        bell.rings().await;
        assert!(began.elapsed() < LOOK, "it was heard, not found by looking");
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_watched_is_looked_at() {
        let mut bell = Bell::of(Path::new("/no/such/folder"));
        bell.rings().await;
        assert!(bell.watch.is_none());
    }
}
