//! One command at a time changes a cluster: a lock that ends with the process, whatever ends it.

use std::fs::TryLockError;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use fs_err as fs;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::StateError;

/// Held while the value lives.
#[derive(Debug)]
pub struct Lock {
    file: std::fs::File,
}

impl Lock {
    /// Takes the lock, waiting up to `patience` for whoever has it; `waiting` hears once who that is.
    pub async fn take(
        path: &Path,
        verb: &str,
        patience: Duration,
        cancel: &CancellationToken,
        waiting: impl FnOnce(&str),
    ) -> Result<Self, StateError> {
        let started = Instant::now();
        let mut waiting = Some(waiting);
        let mut file = open(path)?;
        loop {
            match file.try_lock() {
                // `down` removes the folder with the lock in it: whoever waited then holds a file that nobody else can find.
                Ok(()) if same_file(&file, path) => break,
                Ok(()) => {
                    file = open(path)?;
                    continue;
                }
                Err(TryLockError::Error(error)) => return Err(StateError::Io(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            let mut holder = String::new();
            file.rewind().ok();
            file.read_to_string(&mut holder).ok();
            let holder = if holder.trim().is_empty() { "another quickstart".to_owned() } else { holder.trim().to_owned() };
            if let Some(waiting) = waiting.take() {
                waiting(&holder);
            }
            if started.elapsed() >= patience {
                return Err(StateError::Held { holder });
            }
            tokio::select! {
                () = cancel.cancelled() => return Err(StateError::Interrupted { holder }),
                () = sleep(Duration::from_millis(250)) => {}
            }
        }
        file.set_len(0).map_err(StateError::Io)?;
        file.rewind().map_err(StateError::Io)?;
        writeln!(file, "`quickstart {verb}`, process {}", std::process::id()).map_err(StateError::Io)?;
        Ok(Self { file })
    }
}

impl Lock {
    /// Is the file that is held still the one that others find?
    pub fn is_found(&self, path: &Path) -> bool {
        same_file(&self.file, path)
    }

    /// Who holds it, in the words of the holder; `None`: nobody. Looks and does not take.
    pub fn holder(path: &Path) -> Option<String> {
        let (mut file, _) = fs::File::open(path).ok()?.into_parts();
        if file.try_lock_shared().is_ok() {
            return None;
        }
        let mut holder = String::new();
        file.read_to_string(&mut holder).ok();
        Some(holder.trim().to_owned())
    }

    /// The process of a holder's words.
    pub fn process(holder: &str) -> Option<u32> {
        holder.rsplit_once("process ")?.1.trim().parse().ok()
    }
}

fn open(path: &Path) -> Result<std::fs::File, StateError> {
    open_within(path, 10)
}

fn open_within(path: &Path, again: u32) -> Result<std::fs::File, StateError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(StateError::Io)?;
    }
    match fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path) {
        Ok(file) => Ok(file.into_parts().0),
        // `down` has removed the folder between these two lines.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && again > 0 => open_within(path, again - 1),
        Err(error) => Err(StateError::Io(error)),
    }
}

fn same_file(file: &std::fs::File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `down` removes the folder while a second command waits for the lock in it; the second one must not go on with a file that is gone.
    #[tokio::test]
    async fn a_lock_whose_folder_was_removed_is_taken_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cluster/lock");
        let cancel = CancellationToken::new();
        let first = Lock::take(&path, "down", Duration::ZERO, &cancel, |_| {}).await.unwrap();
        let waiter = tokio::spawn({
            let (path, cancel) = (path.clone(), cancel.clone());
            async move { Lock::take(&path, "up", Duration::from_secs(20), &cancel, |_| {}).await }
        });
        while !waiter.is_finished() && path.exists() {
            tokio::task::yield_now().await;
            fs::remove_dir_all(folder.path().join("cluster")).ok();
        }
        drop(first);
        let _second = waiter.await.unwrap().unwrap();
        assert!(path.exists());
        Lock::take(&path, "up", Duration::ZERO, &cancel, |_| {}).await.unwrap_err();
    }

    #[tokio::test]
    async fn the_second_is_told_who_holds_it_and_gets_it_when_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let cancel = CancellationToken::new();
        let first = Lock::take(&path, "up", Duration::ZERO, &cancel, |_| {}).await.unwrap();
        let mut told = String::new();
        let error = Lock::take(&path, "down", Duration::ZERO, &cancel, |holder| told = holder.to_owned()).await.unwrap_err();
        assert!(told.contains("quickstart up") && error.to_string().contains("quickstart up"), "{told} / {error}");
        drop(first);
        Lock::take(&path, "down", Duration::ZERO, &cancel, |_| {}).await.unwrap();
    }
}
