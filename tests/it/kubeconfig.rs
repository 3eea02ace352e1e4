//! Nobody's kubeconfig harmed: what `up` and `down` do to the files that kubectl reads.

use std::os::unix::fs::PermissionsExt as _;

use crate::small::Machine;

const WORK: &str = "# my clusters\napiVersion: v1\nkind: Config\nclusters:\n  # at work\n  - name: work\n    cluster: {server: \"https://work.example\"}\ncontexts:\n- context:\n    cluster: work\n    user: me\n  name: work # daily\nusers:\n- name: me\n  user: {}\npreferences: {}\ncurrent-context: work # the usual one\n";
const HOME: &str =
    "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    server: https://home.example\n  name: home\ncontexts: []\nusers: []\n";

fn current(path: &std::path::Path) -> Option<String> {
    kube::config::Kubeconfig::read_from(path).unwrap().current_context.filter(|context| !context.is_empty())
}

/// kind writes the whole file anew: comments, quotes and order were gone after one `up` and `down` (sustainable-computing-io/kepler#985,
/// skypilot#2253: the current context too).
#[tokio::test]
async fn after_up_and_down_the_file_is_the_same_byte_for_byte() {
    let machine = Machine::new().await;
    let file = machine.home().join(".kube/config");
    fs_err::create_dir_all(file.parent().unwrap()).unwrap();
    fs_err::write(&file, WORK.replace("work # the usual one", "work")).unwrap();
    let before = fs_err::read_to_string(&file).unwrap();
    fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    machine.up(&[]).await.expect(0);
    let during = fs_err::read_to_string(&file).unwrap();
    assert_eq!(current(&file).as_deref(), Some("kind-quickstart"));
    for line in WORK.lines().filter(|line| !line.starts_with("current-context")) {
        assert!(during.contains(line), "{line} is gone:\n{during}");
    }
    machine.quickstart(&["down"]).await.expect(0);
    assert_eq!(fs_err::read_to_string(&file).unwrap(), before);
    assert_eq!(fs_err::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(!file.with_file_name("config.lock").exists());
}

/// With several files kubectl takes the first current context that it finds: setting it in another file would change nothing.
#[tokio::test]
async fn of_several_files_each_is_changed_as_kubectl_would() {
    let mut machine = Machine::new().await;
    let (home, work) = (machine.home().join("home.yaml"), machine.home().join("work.yaml"));
    fs_err::write(&home, HOME).unwrap();
    fs_err::write(&work, WORK).unwrap();
    machine.env("KUBECONFIG", &format!("{}:{}", home.display(), work.display()));
    machine.up(&[]).await.expect(0);
    assert!(fs_err::read_to_string(&home).unwrap().contains("kind-quickstart"), "entries go where kubectl would write them");
    assert_eq!((current(&home), current(&work)), (None, Some("kind-quickstart".to_owned())));
    assert_eq!(fs_err::read_to_string(&work).unwrap().lines().count(), WORK.lines().count(), "nothing else of it changed");
    machine.quickstart(&["down"]).await.expect(0);
    assert_eq!(fs_err::read_to_string(&home).unwrap(), HOME);
    assert_eq!(current(&work).as_deref(), Some("work"));
}

/// Lists in flow style, each on its line, were written anew: after `down` the file said the same in another way.
#[tokio::test]
async fn lists_on_one_line_stay_on_one_line() {
    const FLOW: &str = "# mine, do not touch\napiVersion: v1\nkind: Config\nclusters:\n  - {name: before, cluster: {server: \"https://127.0.0.1:1\"}} # the old one\ncontexts: [{name: before, context: {cluster: before, user: before}}]\nusers: [{name: before, user: {}}] # me\ncurrent-context: before\n";
    let machine = Machine::new().await;
    let file = machine.home().join(".kube/config");
    fs_err::create_dir_all(file.parent().unwrap()).unwrap();
    fs_err::write(&file, FLOW).unwrap();
    machine.up(&[]).await.expect(0);
    assert_eq!(current(&file).as_deref(), Some("kind-quickstart"));
    let during = fs_err::read_to_string(&file).unwrap();
    assert!(during.contains("# mine") && during.contains("# the old one") && during.contains("# me"), "{during}");
    machine.quickstart(&["reset", "--yes"]).await.expect(0);
    machine.quickstart(&["down"]).await.expect(0);
    assert_eq!(fs_err::read_to_string(&file).unwrap(), FLOW);
}

/// A file that only we have written goes with the cluster.
#[tokio::test]
async fn a_file_that_was_not_there_is_private_and_goes_again() {
    let machine = Machine::new().await;
    let file = machine.home().join(".kube/config");
    machine.up(&[]).await.expect(0);
    assert_eq!(fs_err::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(current(&file).as_deref(), Some("kind-quickstart"));
    machine.quickstart(&["down"]).await.expect(0);
    assert!(!file.exists(), "{}", fs_err::read_to_string(&file).unwrap());
}

/// Garbage is told, kept as it is, and costs nobody a cluster.
#[tokio::test]
async fn a_file_that_is_no_kubeconfig_is_left_alone() {
    let machine = Machine::new().await;
    let file = machine.home().join(".kube/config");
    fs_err::create_dir_all(file.parent().unwrap()).unwrap();
    fs_err::write(&file, "clusters: 7\n").unwrap();
    let output = machine.up(&[]).await.expect(0);
    assert!(output.stderr.contains("was not changed") && output.stderr.contains("not a list"), "{}", output.text());
    machine.quickstart(&["down"]).await.expect(0);
    assert_eq!(fs_err::read_to_string(&file).unwrap(), "clusters: 7\n");
}
