//! The user's kubeconfig: a cluster's entries and the current context are ours to change, nothing else, and under client-go's own lock.

use std::ffi::OsStr;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::tokio as fs;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::KindError;
use super::entries;
pub use super::entries::{Entries, with as with_entries, without as without_entries};
use crate::catalog::yaml;
use crate::fetch::AtomicFile;

/// A living kubectl holds the lock for milliseconds.
const LOCK_WITHIN: Duration = Duration::from_secs(5);
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// The files that kubectl reads, in its order: the value of KUBECONFIG, else `~/.kube/config`.
pub fn files(kubeconfig: Option<&OsStr>, home: Option<&Path>) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for file in kubeconfig.map(std::env::split_paths).into_iter().flatten().filter(|file| !file.as_os_str().is_empty()) {
        if !files.contains(&file) {
            files.push(file);
        }
    }
    if files.is_empty() {
        files.extend(home.map(|home| home.join(".kube/config")));
    }
    files
}

/// The file that kubectl and kind write to: the first that is there, else the last of the list.
pub async fn written_file(files: &[PathBuf]) -> Option<&Path> {
    for file in files {
        if fs::try_exists(file).await.unwrap_or(false) {
            return Some(file);
        }
    }
    files.last().map(PathBuf::as_path)
}

/// The current context and the file that sets it: the first file that names one wins.
pub async fn current_context(files: &[PathBuf]) -> Result<Option<(String, PathBuf)>, KindError> {
    for file in files {
        if let Some(context) = read(file).await?.as_deref().and_then(context_of) {
            return Ok(Some((context, file.clone())));
        }
    }
    Ok(None)
}

/// Does one of the files hold a context of this name? A file that cannot be read holds none.
pub async fn has_context(files: &[PathBuf], name: &str) -> bool {
    for file in files {
        let text = read(file).await.ok().flatten();
        let value = text.and_then(|text| yaml::parse::<Value>(&text, "kubeconfig").ok()).unwrap_or_default();
        let mut contexts = value.get("contexts").and_then(Value::as_array).into_iter().flatten();
        if contexts.any(|context| context.get("name").and_then(Value::as_str) == Some(name)) {
            return true;
        }
    }
    false
}

/// Sets the current context of one file, and nothing else in it: comments, order, mode and a symbolic link stay.
///
/// `None` empties it. A file that is not there is made only for a name.
pub async fn set_current_context(file: &Path, name: Option<&str>) -> Result<(), KindError> {
    set_within(file, name, LOCK_WITHIN).await
}

async fn set_within(file: &Path, name: Option<&str>, patience: Duration) -> Result<(), KindError> {
    change(file, patience, |before| match (name, before) {
        (None, None) => Ok(None),
        (name, before) => {
            let (name, text) = (name.unwrap_or_default(), before.unwrap_or(FRAME));
            if context_of(text).unwrap_or_default() == name { Ok(None) } else { with_context(text, name).map(Some) }
        }
    })
    .await
}

/// Puts a cluster's entries into one file; older ones of that name are replaced.
pub async fn put(file: &Path, entries: &Entries) -> Result<(), KindError> {
    change(file, LOCK_WITHIN, |before| entries::with(before.unwrap_or(FRAME), entries).map(Some)).await
}

/// Takes the entries of that name out of one file. A file that holds nothing else was made by us, and goes.
pub async fn take(file: &Path, name: &str) -> Result<(), KindError> {
    change(file, LOCK_WITHIN, |before| match before {
        None => Ok(None),
        Some(text) => {
            let context = context_of(text).filter(|context| context == name);
            let mut after = entries::without(text, name)?;
            if context.is_some() {
                after = with_context(&after, "")?;
            }
            Ok(Some(after))
        }
    })
    .await?;
    if read(file).await?.is_some_and(|text| entries::is_bare(&text)) {
        fs::remove_file(file).await.map_err(|source| KindError::Kubeconfig { file: file.to_owned(), source })?;
    }
    Ok(())
}

/// What a kubeconfig of ours begins with.
const FRAME: &str = "apiVersion: v1\nkind: Config\n";

/// Changes one file under its lock, at once or not at all; `None`: leave it. Its mode and a symbolic link stay.
async fn change(
    file: &Path,
    patience: Duration,
    edit: impl FnOnce(Option<&str>) -> std::io::Result<Option<String>>,
) -> Result<(), KindError> {
    let failed = |source: Error| KindError::Kubeconfig { file: file.to_owned(), source };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).await.map_err(failed)?;
    }
    let _lock = Lock::take(file, patience).await?;
    AtomicFile::sweep(&fs::canonicalize(file).await.unwrap_or_else(|_| file.to_owned())).await;
    let before = read(file).await?;
    let Some(after) = edit(before.as_deref()).map_err(failed)? else { return Ok(()) };
    if before.as_deref() == Some(after.as_str()) {
        return Ok(());
    }
    let (place, permissions) = match fs::canonicalize(file).await {
        Ok(place) => {
            let permissions = fs::metadata(&place).await.map_err(failed)?.permissions();
            (place, Some(permissions))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => (file.to_owned(), None),
        Err(error) => return Err(failed(error)),
    };
    let mut new = AtomicFile::create(&place).await.map_err(failed)?;
    new.write_all(after.as_bytes()).await.map_err(failed)?;
    new.commit(permissions).await.map_err(failed)
}

/// The lock of a kubeconfig when it has been there for longer than any living program would hold it: a crashed one left it.
pub async fn stale_lock(file: &Path) -> Option<PathBuf> {
    let lock = lock_of(file);
    let age = fs::metadata(&lock).await.ok()?.modified().ok()?.elapsed().ok()?;
    (age > LOCK_WITHIN).then_some(lock)
}

async fn read(file: &Path) -> Result<Option<String>, KindError> {
    match fs::read_to_string(file).await {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KindError::Kubeconfig { file: file.to_owned(), source }),
    }
}

const KEY: &str = "current-context";

/// The value after a top-level `current-context:`.
fn value_of(line: &str) -> Option<&str> {
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    let rest = [KEY, "\"current-context\"", "'current-context'"].iter().find_map(|key| line.strip_prefix(key))?;
    rest.trim_start().strip_prefix(':')
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// The current context that a kubeconfig names. A text that is not YAML is read line by line.
pub fn context_of(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(default, rename = "current-context")]
        context: Option<String>,
    }
    let name = match yaml::parse::<Option<Named>>(text, "kubeconfig") {
        Ok(named) => named?.context?,
        Err(_) if is_json(text) => return None,
        Err(_) => scalar(text.lines().find_map(value_of)?),
    };
    (!name.is_empty()).then_some(name)
}

/// A one-line YAML string: quoted either way, or plain with a comment behind it.
fn scalar(text: &str) -> String {
    let text = text.trim();
    if text.starts_with('"') {
        let end = text
            .char_indices()
            .skip(1)
            .find(|&(at, character)| character == '"' && !text[..at].ends_with('\\'))
            .map_or(text.len(), |(at, _)| at + 1);
        return serde_json::from_str(&text[..end]).unwrap_or_default();
    }
    if let Some(rest) = text.strip_prefix('\'') {
        let mut value = String::new();
        let mut characters = rest.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\'' if characters.peek() == Some(&'\'') => value.extend(characters.next()),
                '\'' => break,
                other => value.push(other),
            }
        }
        return value;
    }
    let plain = text.split(" #").next().unwrap_or_default().trim_end();
    if plain.starts_with('#') || matches!(plain, "~" | "null") { String::new() } else { plain.to_owned() }
}

/// A kubeconfig with another current context, all else as it was; refused where that would change more, or not this.
pub fn with_context(text: &str, name: &str) -> std::io::Result<String> {
    let after = replaced(text, name)?;
    if let Ok(Value::Object(mut meant)) = yaml::parse::<Value>(text, "kubeconfig") {
        meant.insert(KEY.to_owned(), name.into());
        if !yaml::parse::<Value>(&after, "kubeconfig").is_ok_and(|read| read == Value::Object(meant)) {
            let reason = "its current-context is written in a way that only kubectl can change: `kubectl config use-context NAME`";
            return Err(Error::new(ErrorKind::InvalidData, reason));
        }
    }
    Ok(after)
}

fn replaced(text: &str, name: &str) -> std::io::Result<String> {
    if is_json(text) {
        let mut value: Value = serde_json::from_str(text).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        value[KEY] = Value::String(name.to_owned());
        return Ok(format!("{value:#}\n"));
    }
    let line = format!("{KEY}: {}", written(name));
    let mut after = String::with_capacity(text.len() + line.len() + 1);
    let mut done = false;
    for old in text.split_inclusive('\n') {
        let content = old.trim_end_matches(['\n', '\r']);
        if !done && value_of(content).is_some() {
            after.push_str(&line);
            after.push_str(&old[content.len()..]);
            done = true;
        } else {
            after.push_str(old);
        }
    }
    if !done {
        if !after.is_empty() && !after.ends_with('\n') {
            after.push('\n');
        }
        after.push_str(&line);
        after.push('\n');
    }
    Ok(after)
}

/// Plain where any YAML reader takes it for a string, else in double quotes, whose escapes are JSON's.
pub(super) fn written(name: &str) -> String {
    let plain = name.len() > 3
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || "-_.@/".contains(character))
        && !["true", "false", "null"].contains(&name.to_ascii_lowercase().as_str());
    if plain { name.to_owned() } else { Value::String(name.to_owned()).to_string() }
}

fn lock_of(file: &Path) -> PathBuf {
    let mut lock = file.as_os_str().to_owned();
    lock.push(".lock");
    lock.into()
}

/// client-go's lock: a file that only one can make (`k8s.io/client-go/tools/clientcmd/config.go`).
struct Lock(PathBuf);

impl Lock {
    async fn take(file: &Path, patience: Duration) -> Result<Self, KindError> {
        let lock = lock_of(file);
        let until = Instant::now() + patience;
        loop {
            match fs::OpenOptions::new().write(true).create_new(true).open(&lock).await {
                Ok(_) => return Ok(Self(lock)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && Instant::now() < until => tokio::time::sleep(LOCK_RETRY).await,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    return Err(KindError::KubeconfigLocked { file: file.to_owned(), lock });
                }
                Err(source) => return Err(KindError::Kubeconfig { file: lock, source }),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs_err::remove_file(&self.0);
    }
}

#[cfg(test)]
#[path = "kubeconfig_tests.rs"]
mod tests;
