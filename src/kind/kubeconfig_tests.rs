use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::error::Explain;

const FILE: &str = "apiVersion: v1\nkind: Config\n# mine\ncontexts:\n- context: {cluster: current-context, user: u}\n  name: work\ncurrent-context: work # daily\npreferences: {}\n";

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs_err::write(&path, text).unwrap();
        path
    }
}

#[test]
fn the_list_of_files_is_kubectls() {
    let home = Path::new("/home/me");
    assert_eq!(files(None, Some(home)), [Path::new("/home/me/.kube/config")]);
    assert_eq!(files(Some(OsStr::new("")), Some(home)), [Path::new("/home/me/.kube/config")]);
    assert_eq!(files(Some(OsStr::new("/a::/b:/a")), Some(home)), [Path::new("/a"), Path::new("/b")]);
}

#[tokio::test]
async fn the_first_file_that_names_a_context_wins() {
    let home = Home::new();
    let missing = home.0.path().join("missing");
    let without = home.write("without", "apiVersion: v1\ncurrent-context: \"\"\n");
    let with = home.write("with", FILE);
    let files = [missing.clone(), without.clone(), with.clone()];
    assert_eq!(current_context(&files).await.unwrap(), Some(("work".into(), with)));
    assert_eq!(current_context(&[missing.clone(), without.clone()]).await.unwrap(), None);
    assert_eq!(written_file(&files).await, Some(without.as_path()));
    assert_eq!(written_file(std::slice::from_ref(&missing)).await, Some(missing.as_path()));
}

#[tokio::test]
async fn only_the_one_line_changes_and_mode_and_link_stay() {
    let home = Home::new();
    let target = home.write("real", FILE);
    fs_err::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).unwrap();
    let link = home.0.path().join("config");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    set_current_context(&link, Some("kind-quickstart")).await.unwrap();
    assert_eq!(fs_err::read_to_string(&target).unwrap(), FILE.replace("current-context: work # daily", "current-context: kind-quickstart"));
    assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs_err::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
    set_current_context(&link, None).await.unwrap();
    assert_eq!(current_context(std::slice::from_ref(&link)).await.unwrap(), None);
    let left: Vec<_> = fs_err::read_dir(home.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "neither a lock nor a temporary file stays: {left:?}");
}

#[tokio::test]
async fn names_survive_whatever_they_hold() {
    let home = Home::new();
    for name in ["arn:aws:eks:eu-west-1:1:cluster/x", "yes", "0644", "it's \"quoted\"", "a # b", "user@host", "null"] {
        let file = home.write("config", FILE);
        set_current_context(&file, Some(name)).await.unwrap();
        let found = current_context(std::slice::from_ref(&file)).await.unwrap();
        assert_eq!(found.map(|(name, _)| name).as_deref(), Some(name));
    }
    assert_eq!(context_of("current-context: 'it''s'\n").as_deref(), Some("it's"));
    assert_eq!(context_of("{\"current-context\": \"json\"}").as_deref(), Some("json"));
    assert_eq!(context_of("current-context: ~\n"), None);
    let file = home.write("config", "{\"kind\":\"Config\",\"current-context\":\"a\"}");
    set_current_context(&file, Some("b")).await.unwrap();
    assert_eq!(current_context(std::slice::from_ref(&file)).await.unwrap().unwrap().0, "b");
}

/// Of a value on several lines only the first was replaced: what followed made the file unreadable.
#[test]
fn a_context_that_is_not_one_line_is_read_and_left_alone() {
    for text in ["current-context: >-\n  a\n  b\nkind: Config\n", "current-context: a\n  b\nkind: Config\n", "? current-context\n: a b\n"] {
        assert_eq!(context_of(text).as_deref(), Some("a b"), "{text:?}");
        assert_eq!(with_context(text, "c").unwrap_err().kind(), ErrorKind::InvalidData, "{text:?}");
    }
    assert_eq!(context_of("{current-context: a}").as_deref(), Some("a"));
}

#[tokio::test]
async fn a_file_without_the_line_gets_it_and_a_missing_file_is_made_private() {
    let home = Home::new();
    let file = home.write("config", "apiVersion: v1");
    set_current_context(&file, Some("kind-a")).await.unwrap();
    assert_eq!(fs_err::read_to_string(&file).unwrap(), "apiVersion: v1\ncurrent-context: kind-a\n");
    let file = home.0.path().join("deeper/config");
    set_current_context(&file, None).await.unwrap();
    assert!(!file.exists());
    set_current_context(&file, Some("kind-a")).await.unwrap();
    assert_eq!(fs_err::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

/// kind fails for good on a lock that a crashed kubectl left; it must be named, not waited for without end.
#[tokio::test]
async fn a_left_lock_is_named_and_a_held_one_is_waited_for() {
    let home = Home::new();
    let file = home.write("config", FILE);
    let lock = home.write("config.lock", "");
    let error = set_within(&file, Some("kind-a"), Duration::ZERO).await.unwrap_err();
    assert_eq!(error.id(), "KUBECONFIG_LOCKED");
    assert!(error.hint().unwrap().contains(&lock.display().to_string()));
    assert_eq!(fs_err::read_to_string(&file).unwrap(), FILE);
    assert_eq!(stale_lock(&file).await, None);
    let holder = async {
        tokio::task::yield_now().await;
        fs_err::tokio::remove_file(&lock).await.unwrap();
    };
    let (set, ()) = tokio::join!(set_within(&file, Some("kind-a"), Duration::from_secs(20)), holder);
    set.unwrap();
    assert!(!lock.exists());
}

/// A `down` that was killed while it wrote left a temporary file for ever (campaign at the wire, seed 44).
#[tokio::test]
async fn what_a_killed_writer_left_goes_with_the_next_change() {
    let home = Home::new();
    let file = home.write("config", FILE);
    let left = home.write(".quickstart-config-GozN7U", "half");
    let other = home.write(".quickstart-other-GozN7U", "somebody else's");
    change(&file, Duration::from_secs(1), |_| Ok(None)).await.unwrap();
    assert!(!left.exists() && other.exists());
}
