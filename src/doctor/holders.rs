//! Who could hold the lock of a kubeconfig: a file that was made tells nothing about its maker, so processes are asked.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::kind::kubeconfig;

/// Programs that change kubeconfigs through client-go, and our own.
const WRITERS: [&str; 11] = ["kubectl", "kind", "helm", "k9s", "kubectx", "kubens", "minikube", "k3d", "ctlptl", "oc", "quickstart"];

/// `name (process N)` of every process that may be writing this kubeconfig; `None` where processes cannot be looked at.
///
/// One whose environment may not be read counts as one that may. Blocks.
pub(super) fn holders(file: &Path) -> Option<Vec<String>> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let own = std::process::id().to_string();
    let processes = fs_err::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let numbered = processes.filter(|id| id.bytes().all(|b| b.is_ascii_digit()) && *id != own);
    Some(numbered.filter_map(|id| holder(&id, file)).collect())
}

fn holder(id: &str, file: &Path) -> Option<String> {
    let folder = Path::new("/proc").join(id);
    let name = fs_err::read_to_string(folder.join("comm")).ok()?.trim().to_owned();
    if !is_writer(&name) {
        return None;
    }
    let line = fs_err::read(folder.join("cmdline")).unwrap_or_default();
    // A process that has ended since reads as nothing.
    let may = match fs_err::read(folder.join("environ")) {
        Ok(environment) => writes(&line, &environment, file),
        Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
    };
    may.then(|| format!("{name} (process {id})"))
}

/// `kubectl-…` is a plugin of kubectl.
fn is_writer(name: &str) -> bool {
    WRITERS.contains(&name) || name.starts_with("kubectl-")
}

/// Does a process with these arguments and this environment (both separated by zeros) write that file?
fn writes(line: &[u8], environment: &[u8], file: &Path) -> bool {
    let named = file.as_os_str().as_bytes();
    if line.windows(named.len().max(1)).any(|window| window == named) {
        return true;
    }
    let variable = |name: &str| {
        let value = environment.split(|b| *b == 0).find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        (!value.is_empty()).then(|| OsStr::from_bytes(value).to_owned())
    };
    let home = variable("HOME");
    kubeconfig::files(variable("KUBECONFIG").as_deref(), home.as_deref().map(Path::new)).iter().any(|other| other == file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_by_its_environment_or_its_arguments() {
        let file = Path::new("/h/.kube/config");
        assert!(writes(b"kubectl\0get\0pods\0", b"PATH=/bin\0HOME=/h\0", file));
        assert!(writes(b"kind\0--kubeconfig\0/h/.kube/config\0", b"", file));
        assert!(writes(b"kind\0--kubeconfig=/h/.kube/config\0", b"HOME=/other\0", file));
        assert!(!writes(b"kubectl\0", b"HOME=/other\0", file));
        assert!(!writes(b"kubectl\0", b"HOME=/h\0KUBECONFIG=/x:/y\0", file));
        assert!(writes(b"kubectl\0", b"KUBECONFIG=/x:/h/.kube/config\0", file));
    }

    #[test]
    fn only_programs_that_write_kubeconfigs_are_asked() {
        assert!(is_writer("kubectl") && is_writer("kubectl-ns") && is_writer("kind"));
        assert!(!is_writer("bash") && !is_writer("kindly"));
    }
}
