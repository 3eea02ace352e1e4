//! Asking another command of ours to make way.

use rustix::process::{Pid, Signal, kill_process};

use crate::state::Lock;

/// Commands that `down` may interrupt: each can be, at any instant.
const MAKES_WAY: &[&str] = &["up", "start", "reset"];

/// Sends SIGTERM to whoever holds the lock, where that is a command that makes way and its process is our program.
/// `holder` is the lock's own text; answers whether somebody was asked.
pub fn ask_to_stop(holder: &str) -> bool {
    let Some((verb, process)) = read(holder) else { return false };
    if !MAKES_WAY.contains(&verb) || !is_ours(process) {
        return false;
    }
    Pid::from_raw(process).is_some_and(|process| kill_process(process, Signal::TERM).is_ok())
}

/// `` `quickstart up`, process 123 `` → `up`, 123.
fn read(holder: &str) -> Option<(&str, i32)> {
    let (command, _) = holder.trim().strip_prefix("`quickstart ")?.split_once('`')?;
    let process = i32::try_from(Lock::process(holder)?).ok().filter(|process| *process > 1)?;
    Some((command.split(' ').next().unwrap_or(command), process))
}

/// The lock is held, so its process lives; a number that was given to another program since must not be hit all the same.
#[cfg(target_os = "linux")]
fn is_ours(process: i32) -> bool {
    let Ok(program) = fs_err::read_link(format!("/proc/{process}/exe")) else { return false };
    let own = std::env::current_exe().ok().and_then(|own| Some(own.file_name()?.to_owned()));
    // A program that was replaced while it ran is shown as `quickstart (deleted)`.
    let name = program.file_name().map(|name| name.to_string_lossy().trim_end_matches(" (deleted)").to_owned());
    name.is_some() && name == own.map(|own| own.to_string_lossy().into_owned())
}

#[cfg(not(target_os = "linux"))]
fn is_ours(process: i32) -> bool {
    let told = std::process::Command::new("ps").args(["-p", &process.to_string(), "-o", "comm="]).output();
    told.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).trim().rsplit('/').next() == Some("quickstart"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_names_verb_and_process() {
        assert_eq!(read("`quickstart up`, process 123\n"), Some(("up", 123)));
        assert_eq!(read("`quickstart reset --stack`, process 9"), Some(("reset", 9)));
        for odd in ["another quickstart", "`quickstart up`, process -1", "`quickstart up`, process 0", "`quickstart up`, process x"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    #[test]
    fn somebody_elses_process_is_not_asked() {
        assert!(!ask_to_stop("`quickstart up`, process 999999999"));
        assert!(!ask_to_stop(&format!("`quickstart down`, process {}", std::process::id())));
    }
}
