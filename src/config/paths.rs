//! Where our files are. Only names: nothing is created or looked at here.

use std::path::{Path, PathBuf};

use super::{ClusterName, ConfigError, Environment};

/// The two folders that belong to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// `~/.cache/quickstart`: can be thrown away at any time.
    pub cache: PathBuf,
    /// `~/.local/state/quickstart`: one folder a cluster.
    pub state: PathBuf,
}

/// What is remembered of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterPaths {
    /// The folder that holds the others.
    pub folder: PathBuf,
    /// The journal.
    pub state: PathBuf,
    /// Our private kubeconfig, mode 0600.
    pub kubeconfig: PathBuf,
    /// A copy of the certificate of the gateway's authority, for other programs.
    pub authority: PathBuf,
    /// Every event, one a line.
    pub events: PathBuf,
    /// The log.
    pub log: PathBuf,
    /// Held while the cluster is changed.
    pub lock: PathBuf,
}

impl Paths {
    /// `QUICKSTART_CACHE_DIR` and `QUICKSTART_STATE_DIR`, else the XDG folders, else those below the home folder.
    ///
    /// # Errors
    /// [`ConfigError::NoHome`] where none of them is known.
    pub fn new(environment: &Environment) -> Result<Self, ConfigError> {
        let folder = |variable: &'static str, xdg: Option<&PathBuf>, below_home: &str, what| {
            let own = environment.own(variable).map(|path| environment.directory.join(path));
            own.or_else(|| xdg.map(|folder| folder.join("quickstart")))
                .or_else(|| Some(environment.home.as_ref()?.join(below_home).join("quickstart")))
                .ok_or(ConfigError::NoHome { what, variable })
        };
        Ok(Self {
            cache: folder("QUICKSTART_CACHE_DIR", environment.xdg_cache_home.as_ref(), ".cache", "cache")?,
            state: folder("QUICKSTART_STATE_DIR", environment.xdg_state_home.as_ref(), ".local/state", "state")?,
        })
    }

    /// Downloads, named by their sha256.
    pub fn downloads(&self) -> PathBuf {
        self.cache.join("sha256")
    }

    /// Programs such as kind, one folder a version.
    pub fn programs(&self) -> PathBuf {
        self.cache.join("bin")
    }

    /// Images.
    pub fn images(&self) -> PathBuf {
        self.cache.join("images")
    }

    /// Every cluster that has a folder, by name.
    pub fn clusters(&self) -> Vec<ClusterName> {
        let Ok(entries) = fs_err::read_dir(&self.state) else { return Vec::new() };
        let folders = entries.flatten().filter(|entry| entry.path().is_dir());
        let mut names: Vec<ClusterName> = folders.filter_map(|entry| ClusterName::new(&entry.file_name().to_string_lossy()).ok()).collect();
        names.sort();
        names
    }

    /// What is remembered of one cluster.
    pub fn cluster(&self, name: &ClusterName) -> ClusterPaths {
        ClusterPaths::below(&self.state.join(name.as_str()))
    }
}

impl ClusterPaths {
    fn below(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            state: folder.join("state.json"),
            kubeconfig: folder.join("kubeconfig"),
            authority: folder.join("ca.crt"),
            events: folder.join("events.jsonl"),
            log: folder.join("quickstart.log"),
            lock: folder.join("lock"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(vars: &[(&str, &str)]) -> Result<(String, String), ConfigError> {
        let environment = Environment::from_vars(vars.iter().copied(), "/here");
        Paths::new(&environment).map(|paths| (paths.cache.display().to_string(), paths.state.display().to_string()))
    }

    #[test]
    fn ours_then_xdg_then_home() {
        let own = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(paths(&[("HOME", "/h")]).unwrap(), own("/h/.cache/quickstart", "/h/.local/state/quickstart"));
        assert_eq!(
            paths(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c"), ("XDG_STATE_HOME", "/s")]).unwrap(),
            own("/c/quickstart", "/s/quickstart")
        );
        assert_eq!(
            paths(&[("XDG_CACHE_HOME", "/c"), ("QUICKSTART_CACHE_DIR", "mine"), ("QUICKSTART_STATE_DIR", "/st")]).unwrap(),
            own("/here/mine", "/st")
        );
        assert!(matches!(paths(&[("XDG_CACHE_HOME", "/c")]), Err(ConfigError::NoHome { what: "state", .. })));
    }

    #[test]
    fn a_cluster_has_its_own_folder() {
        let paths = Paths { cache: "/c".into(), state: "/s".into() };
        let cluster = paths.cluster(&ClusterName::default());
        assert_eq!(cluster.kubeconfig, Path::new("/s/quickstart/kubeconfig"));
        assert_eq!(cluster.lock.parent(), Some(cluster.folder.as_path()));
    }
}
