//! The image store inside a kind node, through its `ctr`.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::io::AsyncRead;

use super::{DockerError, Engine, normalize_reference};
use crate::fetch::OnBytes;

/// Where the kubelet's runtime keeps its images.
const CTR: [&str; 3] = ["ctr", "-n", "k8s.io"];
const SHORT: Duration = Duration::from_mins(1);
/// After the last byte ctr unpacks layers without a word.
const IMPORT_IDLE: Duration = Duration::from_mins(10);
/// Pairs come as arguments, so nothing in them is ever read as shell.
const TAG_PAIRS: &str = r#"while [ $# -gt 1 ]; do ctr -n k8s.io images tag --force "$1" "$2" >/dev/null || exit; shift 2; done"#;
/// Stays far below the kernel's bound on arguments.
const PAIRS_AT_ONCE: usize = 100;

/// What containerd is set to, and what its ctr can do.
const LOOK: &str = "cat /etc/containerd/config.toml; ctr images import --help";

/// The images of one node.
#[derive(Clone, Debug)]
pub struct ContainerStore {
    engine: Engine,
    node: String,
    /// Options of `ctr images import`.
    import: Vec<String>,
}

impl ContainerStore {
    /// The store of a running node. Finds out where layers must be unpacked to (fuse-overlayfs or native on rootless engines).
    pub async fn open(engine: &Engine, node: &str) -> Result<Self, DockerError> {
        let seen = engine.exec(node, &["sh", "-c", LOOK], SHORT).await?;
        Ok(Self { engine: engine.clone(), node: node.to_owned(), import: import_options(engine.architecture(), &seen.stdout) })
    }

    /// Every name in the store, in full form.
    pub async fn references(&self) -> Result<BTreeSet<String>, DockerError> {
        let argv = [&CTR[..], &["images", "ls", "-q"]].concat();
        let listed = self.engine.exec_ok(&self.node, &argv, SHORT).await?;
        Ok(listed.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    /// Imports an archive of `docker save`; names without a registry become `docker.io/…`.
    ///
    /// Only the node's platform is taken: an engine with containerd's image store saves an index that names platforms whose layers it
    /// does not have (kind#3795, kind#4255).
    pub async fn import<R>(&self, archive: R, on_bytes: OnBytes<'_>) -> Result<(), DockerError>
    where
        R: AsyncRead + Send + Unpin,
    {
        let mut argv = [&CTR[..], &["images", "import"]].concat();
        argv.extend(self.import.iter().map(String::as_str));
        argv.push("-");
        let done = self.engine.exec_with_stdin(&self.node, &argv, archive, IMPORT_IDLE, on_bytes).await?;
        done.ok(&self.node, &argv).map(drop)
    }

    /// Gives images further names: pairs of a name in the store and a reference as a manifest writes it. Both get their full form.
    pub async fn tag(&self, pairs: &[(String, String)]) -> Result<(), DockerError> {
        let words: Vec<String> = pairs
            .iter()
            .map(|(local, reference)| (normalize_reference(local), normalize_reference(reference)))
            .filter(|(local, reference)| local != reference)
            .flat_map(|(local, reference)| [local, reference])
            .collect();
        for words in words.chunks(2 * PAIRS_AT_ONCE) {
            let mut argv = vec!["sh", "-c", TAG_PAIRS, "tag"];
            argv.extend(words.iter().map(String::as_str));
            let done = self.engine.exec(&self.node, &argv, SHORT).await?;
            done.ok(&self.node, &["ctr", "images", "tag"])?;
        }
        Ok(())
    }

    /// Takes names away; names that are not there are fine.
    pub async fn untag(&self, references: &[String]) -> Result<(), DockerError> {
        let there = self.references().await?;
        let names: Vec<String> =
            references.iter().map(|reference| normalize_reference(reference)).filter(|name| there.contains(name)).collect();
        for names in names.chunks(PAIRS_AT_ONCE) {
            let mut argv = [&CTR[..], &["images", "rm"]].concat();
            argv.extend(names.iter().map(String::as_str));
            self.engine.exec_ok(&self.node, &argv, SHORT).await?;
        }
        Ok(())
    }
}

/// The options for a platform, for what [`LOOK`] saw.
pub(super) fn import_options(architecture: &str, seen: &str) -> Vec<String> {
    let mut options = Vec::new();
    if !architecture.is_empty() {
        // Named, it is matched strictly; ctr's default on amd64 wants 386 too, and on arm64 every older arm.
        options.extend(["--platform".to_owned(), format!("linux/{architecture}")]);
    }
    if let Some(snapshotter) = snapshotter(seen) {
        if snapshotter != "overlayfs" && seen.contains("--local") {
            // containerd 2's transfer service unpacks only into snapshotters of its own configuration (containerd#11606).
            options.push("--local".to_owned());
        }
        options.extend(["--snapshotter".to_owned(), snapshotter]);
    }
    options
}

/// `snapshotter = "fuse-overlayfs"` of the runtime's section.
fn snapshotter(configuration: &str) -> Option<String> {
    let mut assigned = configuration.lines().filter_map(|line| line.split_once('=')).filter(|(key, _)| key.trim() == "snapshotter");
    let value = assigned.next()?.1.split('#').next()?.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_goes_to_the_snapshotter_of_the_node_and_takes_its_platform_only() {
        let rootless =
            "version = 3\n[plugins.\"io.containerd.cri.v1.images\"]\n  # explicitly use overlayfs\n  snapshotter = \"fuse-overlayfs\"\n";
        let usual = rootless.replace("fuse-overlayfs", "overlayfs");
        let older = "   --snapshotter value  snapshotter name.\n";
        let newer = "   --local   run import locally rather than through transfer API\n";
        let options = |configuration: &str, help: &str| import_options("amd64", &format!("{configuration}{help}")).join(" ");
        assert_eq!(options(&usual, newer), "--platform linux/amd64 --snapshotter overlayfs");
        assert_eq!(options(rootless, newer), "--platform linux/amd64 --local --snapshotter fuse-overlayfs");
        assert_eq!(options(rootless, older), "--platform linux/amd64 --snapshotter fuse-overlayfs");
        assert_eq!(options("version = 2\n", older), "--platform linux/amd64");
    }
}
