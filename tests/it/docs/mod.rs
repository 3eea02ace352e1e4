//! The documents: every command line in them is one that the program takes, every link leads somewhere, every error ID is in the table,
//! every path of this repository exists, every shell block is run by `scripts/docs.sh` or says why not.

mod commands;
mod markdown;
mod troubleshooting;

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory as _;
use quickstart::cli::{Cli, Halt, parse};
use quickstart::error::Exit;

use self::commands::commands;
use self::markdown::{Page, pages, root};

/// In capitals, in code spans, and no error ID: variables of the environment.
const VARIABLES: &[&str] = &["NO_COLOR", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "KUBECONFIG", "PATH"];
/// The beginnings of the others.
const PREFIXES: &[&str] = &["QUICKSTART_", "DOCKER_", "XDG_", "CARGO_", "E2E_", "SAMPLES_", "CHAOS_", "DOCS_", "BENCH_"];
/// Folders of this repository; a code span that begins with one is a path.
const FOLDERS: &[&str] = &["src/", "tests/", "scripts/", "lab/", "manifests/", "docs/", "fuzz/", ".ci/"];
/// Flags of other programs that the documents name alone.
const FOREIGN_FLAGS: &[&str] = &["--all"];

/// A sentence may name a verb without what it takes.
const INCOMPLETE: &str = "required arguments were not provided";

/// What is wrong with one command line of ours, if anything is.
fn objection(words: &[String]) -> Option<String> {
    match parse(words) {
        Ok(_) | Err(Halt::Show { exit: Exit::Ok, .. }) => None,
        Err(Halt::Show { .. }) => Some(format!("`{}`: something is missing", words.join(" "))),
        Err(Halt::Refuse(failure)) => Some(format!("`{}`: {}", words.join(" "), failure.what)),
    }
}

/// A refused one, and one whose flag does not exist, so that the next test is one that can fail.
#[test]
fn a_wrong_command_line_is_noticed() {
    let wrong = |text: &str| commands(text).iter().filter_map(|words| objection(words)).count();
    assert_eq!(wrong("quickstart up --no-such-flag"), 1);
    assert_eq!(wrong("true && quickstart sample tset canary | cat"), 1);
    assert_eq!(wrong("X=1 quickstart forward start --service NAMESPACE/NAME:PORT # and so on\nsource <(quickstart completions bash)"), 0);
    assert_eq!(commands("a 'quickstart up' b \\\n  c; quickstart predict NAME -n \"my ns\" 2>/dev/null").len(), 1);
}

#[test]
fn every_command_line_is_one_that_the_program_takes() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for page in pages() {
        for (line, text, named) in page.shell() {
            for words in commands(&text) {
                seen += 1;
                let what = objection(&words).filter(|what| !(named && what.contains(INCOMPLETE)));
                wrong.extend(what.map(|what| format!("{}:{line}: {what}", page.path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 100, "only {seen} command lines were found");
}

/// Flags that a sentence names alone.
#[test]
fn every_flag_is_one_of_ours() {
    let mut known = BTreeSet::new();
    let mut below = vec![Cli::command()];
    while let Some(mut command) = below.pop() {
        command.build();
        known.extend(command.get_arguments().filter_map(|argument| argument.get_long().map(|long| format!("--{long}"))));
        below.extend(command.get_subcommands().cloned());
    }
    let mut wrong = Vec::new();
    for page in pages().into_iter().filter(|page| !page.path.starts_with("lab/")) {
        for (line, span) in page.spans().into_iter().filter(|(_, span)| span.starts_with("--")) {
            let flag = span.split([' ', '=']).next().unwrap_or_default();
            if !known.contains(flag) && !FOREIGN_FLAGS.contains(&flag) {
                wrong.push(format!("{}:{line}: no verb has {flag}", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_link_leads_somewhere() {
    let all = pages();
    let (mut seen, mut wrong) = (0, Vec::new());
    for page in &all {
        for (line, target) in page.links().into_iter().filter(|(_, target)| !target.contains("://")) {
            seen += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let here = Path::new(&page.path);
            let path = if file.is_empty() { here.to_path_buf() } else { normal(&here.parent().unwrap_or(Path::new("")).join(file)) };
            let there = all.iter().find(|other| Path::new(&other.path) == path);
            let reached = match there {
                Some(other) => anchor.is_empty() || other.anchors().contains(anchor),
                None => anchor.is_empty() && root().join(&path).exists(),
            };
            if !reached {
                wrong.push(format!("{}:{line}: {target}", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 10, "only {seen} links were found");
}

/// `docs/../lab/README.md` → `lab/README.md`
fn normal(path: &Path) -> std::path::PathBuf {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                parts.pop();
            }
            std::path::Component::CurDir => {}
            other => parts.push(other),
        }
    }
    parts.into_iter().collect()
}

#[test]
fn every_error_id_is_in_the_table() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for page in pages() {
        let told =
            page.text.lines().enumerate().flat_map(|(at, line)| {
                line.split("error[").skip(1).filter_map(move |rest| Some((at + 1, rest.split_once(']')?.0.to_owned())))
            });
        let spans = page.spans().into_iter().filter(|(_, span)| is_id(span));
        for (line, id) in told.chain(spans).filter(|(_, id)| id != "ID") {
            seen += 1;
            if quickstart::rules::rule(&id).is_none() {
                wrong.push(format!("{}:{line}: {id}", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 50, "only {seen} IDs were found");
}

/// Words in capitals with an underscore; those without one may as well be placeholders.
fn is_id(span: &str) -> bool {
    span.contains('_')
        && span.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && !VARIABLES.contains(&span)
        && !PREFIXES.iter().any(|prefix| span.starts_with(prefix))
}

/// The code map, scripts, tests: what a code span names as a path of this repository is there.
#[test]
fn every_path_of_this_repository_exists() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for page in pages().into_iter().filter(|page| !page.path.starts_with("lab/")) {
        for (line, span) in page.spans() {
            let first = span.split([' ', ':']).next().unwrap_or_default();
            if !FOLDERS.iter().any(|folder| first.starts_with(folder))
                || first.contains(|c: char| c.is_ascii_uppercase() || "*{<…".contains(c))
            {
                continue;
            }
            seen += 1;
            let there = [first.to_owned(), format!("{first}.rs"), format!("{first}.sh")].iter().any(|path| root().join(path).exists());
            if !there {
                wrong.push(format!("{}:{line}: {first}", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 20, "only {seen} paths were found");
}

#[test]
fn every_make_target_exists() {
    let makefile = fs_err::read_to_string(root().join("Makefile")).unwrap();
    let targets: BTreeSet<&str> = makefile.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    let mut wrong = Vec::new();
    for page in pages() {
        for (line, text, _) in page.shell() {
            for target in text.lines().filter_map(|line| line.trim().strip_prefix("make ")) {
                let target = target.split_whitespace().next().unwrap_or_default();
                if !targets.contains(target) {
                    wrong.push(format!("{}:{line}: make {target}", page.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `sh run` is run by `scripts/docs.sh` on a real cluster; above every other block a comment says why it is not.
#[test]
fn every_shell_block_is_run_or_says_why_not() {
    let (mut run, mut wrong) = (0, Vec::new());
    for page in pages().into_iter().filter(|page| !page.path.starts_with("lab/")) {
        for block in page.blocks().into_iter().filter(|block| block.language() == "sh") {
            if block.is_run() {
                run += 1;
            } else if block.reason.is_none() {
                wrong.push(format!("{}:{}", page.path, block.line));
            }
        }
    }
    assert!(wrong.is_empty(), "neither run nor `<!-- not run: … -->`:\n{}", wrong.join("\n"));
    assert!(run > 10, "only {run} blocks are run");
}

/// A page that says nothing but its title is none.
#[test]
fn every_page_is_reached_from_the_readme() {
    let all = pages();
    let readme = all.iter().find(|page| page.path == "README.md").unwrap();
    let linked: BTreeSet<String> =
        readme.links().into_iter().map(|(_, target)| target.split('#').next().unwrap_or_default().to_owned()).collect();
    let missing: Vec<&str> =
        all.iter().map(|page: &Page| page.path.as_str()).filter(|path| *path != "README.md" && !linked.contains(*path)).collect();
    assert!(missing.is_empty(), "README.md does not link to {missing:?}");
}
